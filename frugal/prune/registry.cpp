#include "frugal/prune/registry.h"

namespace frugal {

const PruneMethodTable& prune_methods() {
  static const PruneMethodTable table = [] {
    PruneMethodTable all("method of prune", "methods");
    register_prune_methods(all);
    return all;
  }();
  return table;
}

}  // namespace frugal
