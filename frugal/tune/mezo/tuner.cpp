#include "frugal/train/tuner_registry.h"
#include "frugal/tune/mezo/options.h"

namespace frugal {

void register_tuner_mezo(TunerRegistry& registry) {
  registry.add("mezo", [](const Json& settings, TunerContext& context) {
    const auto config = from_json<MezoConfig>(settings);
    return make_zeroth_order(config, zeroth_order_options(config, settings), context);
  });
}

}  // namespace frugal
