#include "frugal/prune/common/scope_config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_random(PruneMethodTable& table) {
  table.add(describe_prune_method<ScopeConfig>("random", "units by chance: what any other method must beat",
                                               "arXiv:2402.05406"));
}

}  // namespace frugal
