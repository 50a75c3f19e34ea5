// What a run of prune takes of memory.
#pragma once
#include "frugal/formats/model_source.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {

// That a run keeps, see keep_kernels: each model on the way has its own, which the next one does not need.
inline constexpr int kPruningKernels = 96;

// Of --data and --eval where they are examples.
struct ExampleSizes {
  std::int64_t longest = 0, pruned_on = 0;  // tokens of an example, of all that are pruned on
  std::int64_t cached = 0;                  // of answers that are written at once
  std::uint64_t bytes = 0;                  // of all examples in memory
};

struct PrunePlan {
  std::uint64_t peak = 0;   // bytes, of masks, what is measured and what is refitted
  double mask_seconds = 0;  // of all forwards of masked models on text; 0: none, or examples, whose lengths differ
};

// settings: with what --budget says filled in; gets "choices", and "masks_together" where that is open: as many as fit.
// vocab: tokens that are kept. memory: 0 is no limit. Error(Exit::budget).
PrunePlan plan_prune(const PruneVerbConfig& c, Json& settings, const ModelSource& model, std::int64_t vocab,
                     const ExampleSizes& examples, Bytes memory);

}  // namespace frugal
