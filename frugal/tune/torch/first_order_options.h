// First-order settings as options of the tuner. Needs the training floor; first_order_config.h does not.
#pragma once
#include "frugal/plan/choices.h"
#include "frugal/train/first_order/tuner.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/tune/first_order_config.h"

namespace frugal {

inline FirstOrderOptions first_order_options(const FirstOrderConfig& c, const Json& settings) {
  // auto without a plan: as it decides where there is no limit.
  const std::string planned = choices_of(settings).activations;
  return {.optimizer = {.name = c.optimizer,
                        .beta1 = c.adam_beta1,
                        .beta2 = c.adam_beta2,
                        .eps = c.adam_epsilon,
                        .weight_decay = c.step.weight_decay,
                        .momentum = c.momentum,
                        .has_master = c.update == "master",
                        .seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1}))},
          .clip_norm = c.max_grad_norm,
          .accumulation = c.step.accumulation,
          .keeps_activations = (planned.empty() ? c.activations : planned) != "checkpoint"};
}

}  // namespace frugal
