// MeZO's configuration as settings of the zeroth-order engine. Needs the training floor; config.h does not.
#pragma once
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/tune/mezo/config.h"

namespace frugal {

inline ZerothOrderOptions zeroth_order_options(const MezoConfig& c, const Json& settings) {
  return {.direction = parse_direction(c.direction),
          .eps = static_cast<float>(c.eps),
          .samples = static_cast<int>(c.samples),
          .weight_decay = c.weight_decay,
          .evaluated_direction = c.evaluated_direction,
          .stochastic_rounding = c.rounding == "stochastic",
          .seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1}))};
}

inline std::unique_ptr<Tuner> make_zeroth_order(const MezoConfig& c, ZerothOrderOptions options, TunerContext& context) {
  const auto objective = c.objective == "accuracy" ? ZerothOrderTuner::Objective::error_rate : ZerothOrderTuner::Objective::cross_entropy;
  return std::make_unique<ZerothOrderTuner>(context.store, context.decoder, context.task, std::move(options), objective, c.accumulation);
}

}  // namespace frugal
