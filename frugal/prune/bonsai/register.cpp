#include <algorithm>
#include <cmath>

#include "frugal/plan/saturating.h"
#include "frugal/prune/bonsai/config.h"
#include "frugal/prune/registry.h"

namespace frugal {
namespace {

// Of the regression behind an iteration's masks: z of each pair, and X with its folds and scaled copies in float64,
// three times as large as X at most; the pairs' own matrices; the code of float64 products and eigenvalues. An
// iteration's candidates are twice what it removes, so as many in each.
PruneNeeds needs_of(const Json& settings, const ModelShape& shape) {
  const auto c = from_json<BonsaiConfig>(settings);
  PruneNeeds needs{.models = static_cast<std::int64_t>(std::ceil(settings.value("sparsity", 1.0) / c.step))};
  if (c.regression == "none") return needs;
  constexpr std::uint64_t kCode = 4 << 20;
  double units = 0;
  for (const LayerShape& layer : shape.layers)
    units += static_cast<double>(layer.ffn) + static_cast<double>(layer.kv_heads) * std::max(1.0, c.attention_ratio);
  const Saturating pairs = c.masks / 2, candidates = static_cast<std::uint64_t>(units * std::min(1.0, 2 * c.step));
  needs.bytes = (Saturating(kCode) + pairs * candidates * (3 * 8 + 1) + pairs * pairs * (5 * 8)).count();
  return needs;
}

}  // namespace

void register_prune_bonsai(PruneMethodTable& table) {
  PruneMethodInfo method = describe_prune_method<BonsaiConfig>(
      "bonsai", "masked models are evaluated, and a linear model says what each unit is worth", "arXiv:2402.05406");
  method.has_masks = true;
  method.needs = needs_of;
  table.add(std::move(method));
}

}  // namespace frugal
