#include "frugal/tune/mezo/config.h"
#include "frugal/tune/registry.h"

namespace frugal {

void register_mezo(Registry& registry) {
  registry.add(describe_method<MezoConfig>("mezo", "all weights from two forward passes a step, no gradients",
                                           "arXiv:2305.17333"));
}

}  // namespace frugal
