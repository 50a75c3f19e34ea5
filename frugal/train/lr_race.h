// A short race of step sizes on training data: each runs a few steps from the start, the lowest loss on held training
// examples wins.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/tuner.h"

namespace frugal {

struct LrRace {
  std::vector<double> rates;  // rising
  std::int64_t steps = 12;
};

// batch(step) are the examples of a step, judge the loss of the weights as they are.
// A rate that diverges ends the race upwards. Returns {"lr", "start_loss", "race": [{"lr", "loss"}, ...]}; the lowest
// rate wins when none lowers the loss. Weights are at the start again on return.
Json race_learning_rates(const LrRace& race, Tuner& tuner,
                         const std::function<std::vector<std::uint32_t>(std::int64_t)>& batch,
                         const std::function<double()>& judge);

}  // namespace frugal
