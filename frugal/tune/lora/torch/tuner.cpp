#include "frugal/tune/lora/torch/tuner.h"

#include "frugal/tune/torch/first_order_run.h"
#include "frugal/tune/torch/trained_parts.h"

namespace frugal {

std::unique_ptr<Tuner> make_lora_tuner(const LoraConfig& config, TunerContext& context) {
  FirstOrderRun run = first_order_run(config.first_order, context.run);
  run.likely_rates = {1e-4, 3e-4, 1e-3, 3e-3};
  return std::make_unique<FirstOrderTuner>(low_rank_pairs(config.low_rank, run.seed, context.store), context.threads,
                                           context.objective, config.first_order, run);
}

void register_tuner_tune_lora(TunerRegistry& registry) { registry.add("lora", make_lora_tuner); }

}  // namespace frugal
