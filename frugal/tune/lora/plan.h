// Sizes of low-rank pairs from a model's shape. No LibTorch.
#pragma once
#include <algorithm>

#include "frugal/formats/model_shape.h"
#include "frugal/tune/lora/config.h"

namespace frugal {

// Numbers in the pairs of all targets, rank (in + out) each.
inline std::uint64_t low_rank_numbers(const ModelShape& shape, const LowRankConfig& c) {
  std::uint64_t sum = 0;
  for (const TensorSpec& spec : tensor_specs(shape)) {
    const bool is_linear = !spec.is_vector && spec.name.find(".layers.") != std::string::npos;
    const bool is_target = c.targets.empty() ||
                           std::any_of(c.targets.begin(), c.targets.end(),
                                       [&](const std::string& t) { return spec.name.ends_with("." + t + ".weight"); });
    if (is_linear && is_target)
      sum += static_cast<std::uint64_t>(c.rank) * static_cast<std::uint64_t>(spec.rows + spec.cols);
  }
  return sum;
}

}  // namespace frugal
