#include "frugal/tune/registry.h"
#include "frugal/tune/sparse_mezo/config.h"

namespace frugal {

void register_sparse_mezo(Registry& registry) {
  registry.add(describe_method<SparseMezoConfig>(
      "sparse-mezo", "MeZO on the weights of small magnitude, with larger steps", "arXiv:2402.15751"));
}

}  // namespace frugal
