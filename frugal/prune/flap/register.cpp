#include "frugal/prune/common/scope_config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_flap(PruneMethodTable& table) {
  PruneMethodInfo method = describe_prune_method<ScopeConfig>(
      "flap", "one look: how much each unit fluctuates; what it gives on average becomes a bias", "arXiv:2312.11983");
  method.compensates = true;
  table.add(std::move(method));
}

}  // namespace frugal
