// MeZO's configuration as settings of the zeroth-order engine. Needs the training floor; config.h does not.
#pragma once
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/tune/torch/low_rank_options.h"
#include "frugal/tune/zeroth_order_config.h"

namespace frugal {

inline ZerothOrderOptions zeroth_order_options(const ZerothOrderConfig& c, const Json& settings) {
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
    const auto config = from_json<ZerothOrderConfig>(settings);
    const auto loss =
        config.objective == "accuracy" ? ZerothOrderTuner::Loss::error_rate : ZerothOrderTuner::Loss::cross_entropy;
    const ZerothOrderOptions engine = options(settings);
    Threads& threads = context.decoder.threads();
    return std::make_unique<ZerothOrderTuner>(trained_parts(config.trained, engine.seed, context.store, threads),
                                              threads, context.objective, engine, loss, config.step.accumulation,
                                              describe_trained(config.trained));
  };
}

// A tuner that replays a log of any method of the engine: its header says all of it.
inline std::unique_ptr<Tuner> replay_zeroth_order(const Json& header, TunerContext& context) {
  const ZerothOrderOptions options = options_from_header(header);
  const auto trained = from_json<TrainedConfig>(header.value("trained", Json::object()));
  validate(trained);
  const Json description = describe_trained(trained);
  require_same_adapter(trained, description, header);
  Threads& threads = context.decoder.threads();
  return std::make_unique<ZerothOrderTuner>(trained_parts(trained, options.seed, context.store, threads), threads,
                                            nullptr, options, ZerothOrderTuner::Loss::cross_entropy, 1, description);
}

}  // namespace frugal
