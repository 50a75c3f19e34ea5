#include "frugal/prune/torch/pruner.h"
#include "frugal/prune/wanda/config.h"

namespace frugal {
namespace {

std::unique_ptr<Pruner> make(const WandaConfig& config, PruneContext context) {
  return one_shot(
      std::move(context),
      [](PruneModel& model, const Windows& windows) { return unit_scores(model, windows, Prior::wanda); },
      config.scope == "layer");
}

}  // namespace

void register_pruner_prune_wanda(PrunerRegistry& registry) { registry.add<WandaConfig>("wanda", make); }

}  // namespace frugal
