#include "frugal/prune/common/refit_plan.h"

#include <algorithm>

#include "frugal/plan/saturating.h"

namespace frugal {
namespace {

std::int64_t widest_projection(const ModelShape& shape) {
  std::int64_t widest = 0;
  for (const LayerShape& layer : shape.layers) widest = std::max({widest, layer.heads * shape.head_dim, layer.ffn});
  return widest;
}

}  // namespace

std::int64_t refit_windows(const ModelShape& shape, std::int64_t window_length) {
  constexpr std::int64_t kTokensOfColumn = 8;
  return std::max<std::int64_t>(1, (kTokensOfColumn * widest_projection(shape) + window_length - 1) / window_length);
}

// Letters: C hidden size, F columns of the widest projection, N tokens of a forward.
RefitPlan plan_refit(const ModelShape& shape, std::int64_t tokens, std::int64_t together) {
  const Saturating C = shape.hidden, F = widest_projection(shape), N = together;
  const Saturating streams = Saturating(2) * tokens * C * 4,  // hidden states of both models
      sums = F * F * 4 + F * C * 4,                           // of x x^T and x e^T
      system = F * F * 16 + F * C * 24,                       // in float64: itself and its factor; both sides, D
      change = F * C * 8,                                     // D and W in fp32
      batch = N * (F + C) * 4;                                // x and e
  RefitPlan plan{(Saturating(kSolverBytes) + streams + sums + std::max(system, batch) + change).count(), 0};
  Saturating projections;  // as fp32, biases with them
  for (const LayerShape& layer : shape.layers)
    projections += C * (Saturating(layer.heads) * shape.head_dim + layer.ffn + 2) * 4;
  plan.afterwards = (Saturating(kSolverBytes) + projections).count();
  plan.meanwhile = (Saturating(plan.meanwhile) + projections).count();  // one layer's more, one by one
  return plan;
}

}  // namespace frugal
