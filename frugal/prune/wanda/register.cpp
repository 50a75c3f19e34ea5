#include "frugal/prune/registry.h"
#include "frugal/prune/wanda/config.h"

namespace frugal {

void register_prune_wanda(PruneMethodTable& table) {
  table.add(describe_prune_method<WandaConfig>("wanda", "one look: mean size of weight times activation of each unit",
                                               "arXiv:2306.11695"));
}

}  // namespace frugal
