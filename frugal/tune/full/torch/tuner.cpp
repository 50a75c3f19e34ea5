#include "frugal/tune/full/config.h"
#include "frugal/tune/torch/first_order_run.h"

namespace frugal {
namespace {

std::unique_ptr<Tuner> make(const FullConfig& config, TunerContext& context) {
  auto all =
      std::make_unique<WholeWeights>(context.store, context.threads, std::vector<bool>(context.store.size(), true));
  return std::make_unique<FirstOrderTuner>(std::move(all), context.threads, context.objective, config.first_order,
                                           first_order_run(config.first_order, context.run));
}

}  // namespace

void register_tuner_tune_full(TunerRegistry& registry) { registry.add("full", make); }

}  // namespace frugal
