#include "frugal/tune/lora/config.h"
#include "frugal/tune/torch/first_order_options.h"
#include "frugal/tune/torch/low_rank_options.h"

namespace frugal {

void register_tuner_tune_lora(TunerRegistry& registry) {
  registry.add("lora", [](const Json& settings, TunerContext& context) -> std::unique_ptr<Tuner> {
    const auto config = from_json<LoraConfig>(settings);
    FirstOrderOptions options = first_order_options(config.first_order, settings);
    options.likely_rates = {1e-4, 3e-4, 1e-3, 3e-3};
    return std::make_unique<FirstOrderTuner>(low_rank_pairs(config.low_rank, settings, context.store), context.decoder,
                                             context.objective, options);
  });
}

}  // namespace frugal
