#include "frugal/train/lr_race.h"

#include <cmath>

#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"
#include "frugal/base/streams.h"

namespace frugal {

Json race_learning_rates(const LrRace& race, Tuner& tuner,
                         const std::function<std::vector<std::uint32_t>(std::int64_t)>& batch,
                         const std::function<double()>& judge) {
  const double start = judge();
  double best_loss = start, best = race.rates.front();
  Json rows = Json::array();
  Progress progress(race.rates.size() * static_cast<std::size_t>(race.steps), "race steps");
  for (std::size_t r = 0; r < race.rates.size(); ++r) {
    double loss = 0;
    for (std::int64_t step = 0; step < race.steps && std::isfinite(loss); ++step) {
      throw_if_interrupted();
      const TuningStep result = tuner.step(kRaceSteps + static_cast<std::uint64_t>(step), race.rates[r], batch(step));
      loss = result.skipped ? INFINITY : result.loss;
      progress.update(r * static_cast<std::size_t>(race.steps) + static_cast<std::size_t>(step) + 1);
    }
    if (std::isfinite(loss)) loss = judge();
    tuner.restart();
    rows.push_back({{"lr", race.rates[r]}, {"loss", std::isfinite(loss) ? Json(loss) : Json("diverged")}});
    if (loss < best_loss) best_loss = loss, best = race.rates[r];
    if (!std::isfinite(loss) || loss > 2 * start + 1) break;
  }
  return {{"lr", best}, {"start_loss", start}, {"race", rows}};
}

}  // namespace frugal
