// Losses of masked models, window by window, until a pair's difference is known well enough. Private to bonsai/.
#pragma once
#include <vector>

#include "frugal/prune/torch/prune_model.h"

namespace frugal::bonsai {

struct RaceResult {
  std::vector<double> losses;  // mean of each mask over the windows that its pair has seen
  std::int64_t windows = 0;    // that the masks have seen, all together
};

// masks: both of a pair, one pair behind the other; they run from where `prefix` is. A pair stops behind four windows
// or more, when the standard error of its mean difference falls below `tolerance` times the standard deviation of the
// differences of the pairs before: `before` has their losses. It is those that a regression over complementary pairs
// reads. tolerance 0, or fewer than four pairs before: all windows.
RaceResult race(PruneModel& model, const Windows& windows, const Prefix& prefix, const std::vector<ModelMask>& masks,
                double tolerance, const std::vector<double>& before);

}  // namespace frugal::bonsai
