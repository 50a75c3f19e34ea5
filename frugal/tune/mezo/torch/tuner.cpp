#include "frugal/tune/mezo/config.h"
#include "frugal/tune/torch/zeroth_order_maker.h"

namespace frugal {
namespace {

std::unique_ptr<Tuner> make(const MezoConfig& config, TunerContext& context) {
  return make_zeroth_order(config, context);
}

}  // namespace

void register_tuner_tune_mezo(TunerRegistry& registry) { registry.add("mezo", make, replay_zeroth_order); }

}  // namespace frugal
