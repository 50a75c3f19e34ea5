#include "frugal/tune/mezo/options.h"

namespace frugal {

void register_tuner_mezo(TunerRegistry& registry) {
  registry.add("mezo", zeroth_order_maker([](const Json& settings) {
                 return zeroth_order_options(from_json<MezoConfig>(settings), settings);
               }));
}

}  // namespace frugal
