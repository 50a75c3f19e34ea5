#include <cmath>

#include "frugal/prune/common/scope_config.h"
#include "frugal/prune/torch/pruner.h"

namespace frugal {
namespace {

// Scores of each layer and kind brought to mean 0 and deviation 1, so that layers compare (FLAP, section 3.2).
void standardise(const std::vector<Unit>& units, std::vector<double>& scores) {
  for (std::size_t begin = 0; begin < units.size();) {
    std::size_t end = begin;
    while (end < units.size() && units[end].layer == units[begin].layer && units[end].kind == units[begin].kind) ++end;
    double mean = 0, power = 0;
    const auto count = static_cast<double>(end - begin);
    for (std::size_t i = begin; i < end; ++i) mean += scores[i] / count;
    for (std::size_t i = begin; i < end; ++i) power += (scores[i] - mean) * (scores[i] - mean) / count;
    for (std::size_t i = begin; i < end; ++i) scores[i] = power > 0 ? (scores[i] - mean) / std::sqrt(power) : 0;
    begin = end;
  }
}

std::unique_ptr<Pruner> make(const ScopeConfig& config, PruneContext context) {
  return one_shot(
      std::move(context),
      [](PruneModel& model, const Windows& windows) {
        std::vector<double> scores = unit_scores(model, windows, Prior::fluctuation);
        standardise(units_of(model.shape()), scores);
        return scores;
      },
      config.is_local());
}

}  // namespace

void register_pruner_prune_flap(PrunerRegistry& registry) { registry.add<ScopeConfig>("flap", make); }

}  // namespace frugal
