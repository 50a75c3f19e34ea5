#include "frugal/signals/swarm/drawing.h"

namespace frugal::swarm {

Figure engagement_figure(const EngagementConfig& config, Tactic tactic, std::uint32_t seed, std::int64_t window) {
  Engagement engagement(config, tactic, seed);
  Figure figure{.name = "engagement",
                .title = "Test engagement " + std::to_string(seed) + ", " + std::string(name(tactic)),
                .x_name = "x",
                .y_name = "y",
                .is_equal_scale = true};
  const std::size_t attackers = engagement.attackers().size(), decoys = engagement.decoys().size();
  for (std::size_t i = 0; i < attackers; ++i) figure.series.push_back({.name = "attacker " + std::to_string(i + 1)});
  for (std::size_t j = 0; j < decoys; ++j) figure.series.push_back({.name = "decoy " + std::to_string(j + 1)});
  const auto look = [&] {
    for (std::size_t k = 0; k < attackers + decoys; ++k) {
      if (k >= attackers && !engagement.is_alive(k - attackers)) continue;
      const Bodies& bodies = k < attackers ? engagement.attackers() : engagement.decoys();
      const std::size_t which = k < attackers ? k : k - attackers;
      figure.series[k].x.push_back(bodies.px[which]), figure.series[k].y.push_back(bodies.py[which]);
    }
  };
  look();
  for (std::int64_t step = 1; !engagement.is_over() && step < 5000; ++step) {
    engagement.step();
    look();
  }
  figure.note =
      "attackers begin at the upper right and decoys at the lower left; a decoy's path ends where it is hit; a "
      "classifier sees attackers for " +
      std::to_string(window) + " of " + std::to_string(engagement.steps()) + " steps";
  return figure;
}

}  // namespace frugal::swarm
