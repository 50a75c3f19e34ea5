// Sizes of low-rank pairs from a model's shape. No LibTorch.
#pragma once
#include <algorithm>

#include "frugal/plan/plan.h"
#include "frugal/tune/low_rank_config.h"

namespace frugal {

// Numbers in the pair beside a tensor, rank (in + out), and out more with DoRA; 0: it has none.
inline std::uint64_t low_rank_numbers(const TensorSpec& spec, const LowRankConfig& c) {
  const bool is_linear = !spec.is_vector && spec.name.find(".layers.") != std::string::npos;
  const bool is_target =
      c.targets.empty() || std::any_of(c.targets.begin(), c.targets.end(),
                                       [&](const std::string& t) { return spec.name.ends_with("." + t + ".weight"); });
  if (!is_linear || !is_target) return 0;
  return static_cast<std::uint64_t>(c.rank) * static_cast<std::uint64_t>(spec.rows + spec.cols) +
         static_cast<std::uint64_t>(c.dora ? spec.rows : 0);
}
inline std::uint64_t low_rank_numbers(const ModelShape& shape, const LowRankConfig& c) {  // of all pairs
  std::uint64_t sum = 0;
  for (const TensorSpec& spec : tensor_specs(shape)) sum += low_rank_numbers(spec, c);
  return sum;
}

// What a first-order method's plan takes from pairs that it trains, all of them or some at a time.
inline void add_pairs(FirstOrderPlan& method, const ModelShape& shape, const LowRankConfig& c) {
  method.beside = 4 * low_rank_numbers(shape, c);
  method.weight_gradients = 0.1;  // of the factors alone
  method.has_dropout = c.dropout > 0;
  method.has_magnitudes = c.dora;
}

}  // namespace frugal
