// Which evaluation of a run is the best one: the higher metric, then the lower loss, then the earlier step.
#pragma once
#include <cstdint>

namespace frugal {

struct BestEvaluation {
  std::int64_t step = -1;  // -1: none yet
  double metric = 0, loss = 0;
  std::int64_t since = 0;  // evaluations that were no better

  bool offer(std::int64_t at, double value, double at_loss) {
    const bool better = step < 0 || value > metric || (value == metric && at_loss < loss);
    if (better)
      *this = {at, value, at_loss};
    else
      ++since;
    return better;
  }
};

}  // namespace frugal
