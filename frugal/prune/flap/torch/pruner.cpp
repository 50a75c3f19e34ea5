#include "frugal/prune/torch/pruner.h"
#include "frugal/prune/common/scope_config.h"

namespace frugal {
namespace {

std::unique_ptr<Pruner> make(const ScopeConfig& config, PruneContext context) {
  return one_shot(
      std::move(context),
      [](PruneModel& model, const Windows& windows) { return unit_scores(model, windows, Prior::fluctuation, true); },
      config.is_local());
}

}  // namespace

void register_pruner_prune_flap(PrunerRegistry& registry) { registry.add<ScopeConfig>("flap", make); }

}  // namespace frugal
