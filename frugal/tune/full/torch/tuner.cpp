#include "frugal/tune/full/config.h"
#include "frugal/tune/torch/first_order_options.h"

namespace frugal {

void register_tuner_tune_full(TunerRegistry& registry) {
  registry.add("full", [](const Json& settings, TunerContext& context) -> std::unique_ptr<Tuner> {
    const auto config = from_json<FullConfig>(settings);
    auto all = std::make_unique<WholeWeights>(context.store, context.decoder.threads(),
                                              std::vector<bool>(context.store.size(), true));
    return std::make_unique<FirstOrderTuner>(std::move(all), context.decoder, context.objective,
                                             first_order_options(config.first_order, settings));
  });
}

}  // namespace frugal
