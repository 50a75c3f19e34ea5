// What a trained classifier needs beside its weights: model.json in the run's folder. No LibTorch.
#pragma once
#include <filesystem>

#include "frugal/signals/swarm/config.h"

namespace frugal::swarm {

struct ModelCard {
  TrainConfig config;      // of the run; window: what it observes, at most `steps`
  std::int64_t steps = 0;  // of the engagements it learned from: what scaler and noise are about

  std::int64_t inputs() const;  // features a step
  Json json() const;
  // Error(Exit::input): no such file in the folder, or not one of these.
  static ModelCard read(const std::filesystem::path& run);
};

// Before weights and tracks are loaded. Error(Exit::input): the run has no model, the tracks are of another number of
// agents.
ModelCard check_evaluation(const EvaluateConfig& config);

}  // namespace frugal::swarm
