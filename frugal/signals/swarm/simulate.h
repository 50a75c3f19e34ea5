// `frugal swarm simulate`: labelled tracks as a csv file. No LibTorch.
#pragma once
#include "frugal/base/json.h"
#include "frugal/signals/swarm/config.h"

namespace frugal::swarm {

// Writes config.out, whole or not at all, and returns {"out", "runs", "rows", "bytes", "seconds", "tactics":
// [{"tactic", "shortest", "mean", "longest"}]}. The file does not depend on threads.
Json simulate_tracks(const SimulateConfig& config);
int run_simulate(const SimulateConfig& config);  // prints that

}  // namespace frugal::swarm
