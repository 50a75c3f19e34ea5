// What refitting takes.
#pragma once
#include <cstdint>

#include "frugal/formats/model_shape.h"

namespace frugal {

// Windows with tokens enough to say what each column of the widest projection is worth.
std::int64_t refit_windows(const ModelShape& shape, std::int64_t window_length);

// Code of LibTorch's fp32 and float64 products and factorisation that becomes resident, and buffers they keep: 29 MB,
// measured on SmolLM2.
inline constexpr std::uint64_t kSolverBytes = 40 << 20;

struct RefitPlan {               // bytes
  std::uint64_t meanwhile = 0;   // beside the forwards of two models, whose weights stay in the file
  std::uint64_t afterwards = 0;  // beside the weights: the projections that replace those of the file
};
// shape: of the dense model. tokens: of all windows. together: of a forward.
RefitPlan plan_refit(const ModelShape& shape, std::int64_t tokens, std::int64_t together);

}  // namespace frugal
