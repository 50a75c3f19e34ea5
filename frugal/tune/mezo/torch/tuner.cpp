#include "frugal/tune/mezo/config.h"
#include "frugal/tune/torch/zeroth_order_options.h"

namespace frugal {

void register_tuner_tune_mezo(TunerRegistry& registry) {
  registry.add("mezo", zeroth_order_maker([](const Json& settings) {
                 return zeroth_order_options(from_json<MezoConfig>(settings), settings);
               }),
               replay_zeroth_order);
}

}  // namespace frugal
