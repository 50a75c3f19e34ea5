// A task that masked models are judged by, instead of the likelihood of text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/nn/blocks/masked_view.h"

namespace frugal {

class PruneModel;

class PruneTask {
 public:
  virtual ~PruneTask() = default;
  // Of each mask, more is better, on the examples that `round` draws: what `name` says of them (accuracy, ...), or
  // minus their mean loss. Error(Exit::usage): a metric that the task has not.
  virtual std::vector<double> metric(PruneModel& model, const std::string& name, std::uint64_t round,
                                     const std::vector<ModelMask>& masks) = 0;
  virtual std::vector<double> likelihood(PruneModel& model, std::uint64_t round,
                                         const std::vector<ModelMask>& masks) = 0;
};

}  // namespace frugal
