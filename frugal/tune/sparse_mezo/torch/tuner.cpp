#include "frugal/tune/sparse_mezo/config.h"
#include "frugal/tune/torch/zeroth_order_maker.h"

namespace frugal {
namespace {

std::unique_ptr<Tuner> make(const SparseMezoConfig& config, TunerContext& context) {
  return make_zeroth_order(config.mezo, context, config.mask);
}

}  // namespace

void register_tuner_tune_sparse_mezo(TunerRegistry& registry) {
  registry.add("sparse-mezo", make, replay_zeroth_order);
}

}  // namespace frugal
