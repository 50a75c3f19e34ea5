#include "frugal/prune/common/scope_config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_flap(PruneMethodTable& table) {
  table.add(describe_prune_method<ScopeConfig>("flap", "one look: how much each unit fluctuates, standardised by layer",
                                               "arXiv:2312.11983"));
}

}  // namespace frugal
