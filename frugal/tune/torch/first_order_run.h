// What a first-order tuner takes of a run beside its settings.
#pragma once
#include "frugal/train/first_order/tuner.h"
#include "frugal/train/tuner_registry.h"

namespace frugal {

inline FirstOrderRun first_order_run(const FirstOrderConfig& c, const RunSettings& run) {
  // auto without a plan: as it decides where there is no limit.
  const std::string& planned = run.choices.activations;
  return {.seed = run.seed, .keeps_activations = (planned.empty() ? c.activations : planned) != "checkpoint"};
}

}  // namespace frugal
