#include "frugal/prune/common/scope_config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_wanda(PruneMethodTable& table) {
  table.add(describe_prune_method<ScopeConfig>("wanda", "one look: mean size of weight times activation of each unit",
                                               "arXiv:2306.11695"));
}

}  // namespace frugal
