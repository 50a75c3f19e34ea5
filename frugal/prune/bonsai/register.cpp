#include "frugal/prune/bonsai/config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_bonsai(PruneMethodTable& table) {
  PruneMethodInfo method = describe_prune_method<BonsaiConfig>(
      "bonsai", "masked models are evaluated, and a linear model says what each unit is worth", "arXiv:2402.05406");
  method.has_masks = true;
  table.add(std::move(method));
}

}  // namespace frugal
