#include "frugal/prune/torch/pruner.h"
#include "frugal/base/philox.h"
#include "frugal/prune/common/scope_config.h"

namespace frugal {
namespace {

std::unique_ptr<Pruner> make(const ScopeConfig& config, PruneContext context) {
  const std::uint64_t seed = context.seed;
  return one_shot(
      std::move(context),
      [seed](PruneModel& model, const Windows&) {
        PhiloxSequence random(philox_key(seed, 0), named_stream("prune.random"));
        std::vector<double> scores(units_of(model.shape()).size());
        for (double& score : scores) score = random.uniform();
        return scores;
      },
      config.is_local());
}

}  // namespace

void register_pruner_prune_random(PrunerRegistry& registry) { registry.add<ScopeConfig>("random", make); }

}  // namespace frugal
