#include "frugal/signals/swarm/drawing.h"

#include <cmath>

namespace frugal::swarm {

Figure engagement_figure(const EngagementConfig& config, Tactic tactic, std::uint32_t seed, std::int64_t window) {
  Engagement engagement(config, tactic, seed);
  Figure figure{.name = "engagement",
                .title = "Test engagement " + std::to_string(seed) + ", " + std::string(name(tactic)),
                .x_name = "x, kill ranges",
                .y_name = "y, kill ranges",
                .series = {{.name = "attackers"}, {.name = "decoys"}},
                .is_equal_scale = true};
  const std::size_t attackers = engagement.attackers().size(), decoys = engagement.decoys().size();
  std::vector<Series> paths(attackers + decoys);
  const auto look = [&] {
    for (std::size_t k = 0; k < attackers + decoys; ++k) {
      if (k >= attackers && !engagement.is_alive(k - attackers)) continue;
      const Bodies& bodies = k < attackers ? engagement.attackers() : engagement.decoys();
      const std::size_t which = k < attackers ? k : k - attackers;
      paths[k].x.push_back(bodies.px[which]), paths[k].y.push_back(bodies.py[which]);
    }
  };
  look();
  for (std::int64_t step = 1; !engagement.is_over() && step < 5000; ++step) {
    engagement.step();
    look();
  }
  for (std::size_t k = 0; k < paths.size(); ++k) {  // one behind the other, with a gap between
    Series& all = figure.series[k < attackers ? 0 : 1];
    if (!all.x.empty()) all.x.push_back(NAN), all.y.push_back(NAN);
    all.x.insert(all.x.end(), paths[k].x.begin(), paths[k].x.end());
    all.y.insert(all.y.end(), paths[k].y.begin(), paths[k].y.end());
  }
  figure.note =
      "Attackers begin at the upper right and decoys at the lower left. A decoy's path ends where it is hit, from "
      "within a kill range, which is also what an attacker flies in a step at most. A classifier sees attackers for " +
      std::to_string(window) + " of " + std::to_string(engagement.steps()) + " steps.";
  return figure;
}

}  // namespace frugal::swarm
