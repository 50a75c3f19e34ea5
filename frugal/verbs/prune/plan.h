// What a run of prune takes of memory.
#pragma once
#include "frugal/formats/model_source.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {

// That a run keeps, see keep_kernels: each model on the way has its own, which the next one does not need.
inline constexpr int kPruningKernels = 96;

// Its peak in bytes, of masks, what is measured and what is refitted. settings: with what --budget says filled in; gets
// "choices", and "masks_together" where that is open: as many as fit. vocab: tokens that are kept; longest: tokens of
// the longest example. memory: 0 is no limit. Error(Exit::budget).
std::uint64_t plan_prune(const PruneVerbConfig& c, Json& settings, const ModelSource& model, std::int64_t vocab,
                         std::int64_t longest, Bytes memory);

}  // namespace frugal
