// MeZO's configuration as settings of the zeroth-order engine. Needs the training floor; config.h does not.
#pragma once
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/tune/low_rank_options.h"
#include "frugal/tune/mezo/config.h"

namespace frugal {

inline ZerothOrderOptions zeroth_order_options(const MezoConfig& c, const Json& settings) {
  return {.direction = parse_direction(c.direction),
          .eps = static_cast<float>(c.eps),
          .samples = static_cast<int>(c.samples),
          .weight_decay = c.step.weight_decay,
          .evaluated_direction = c.evaluated_direction,
          .stochastic_rounding = c.rounding == "stochastic",
          .seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1}))};
}

// A method that is MeZO with other options of the engine: all else comes from MeZO's own settings.
inline TunerMaker zeroth_order_maker(std::function<ZerothOrderOptions(const Json& settings)> options) {
  return [options](const Json& settings, TunerContext& context) -> std::unique_ptr<Tuner> {
    const auto config = from_json<MezoConfig>(settings);
    const auto loss =
        config.objective == "accuracy" ? ZerothOrderTuner::Loss::error_rate : ZerothOrderTuner::Loss::cross_entropy;
    const ZerothOrderOptions engine = options(settings);
    Threads& threads = context.decoder.threads();
    return std::make_unique<ZerothOrderTuner>(trained_parts(config.trained, engine.seed, context.store, threads),
                                              threads, context.objective, engine, loss, config.step.accumulation,
                                              describe_trained(config.trained));
  };
}

}  // namespace frugal
