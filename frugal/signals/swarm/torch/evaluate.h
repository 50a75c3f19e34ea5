// `frugal swarm evaluate`: tactics of tracks, by the classifier of a run.
#pragma once
#include "frugal/base/json.h"
#include "frugal/signals/swarm/config.h"

namespace frugal::swarm {

// {"runs", "known": how many of them begin as an engagement that the run was trained or tested on, "window",
// "accuracy",
// ... as Measured} where the file has tactics, and "predictions": [{"run", "tactic",
// "probability", "communicates", "leads"}] where it has not. Writes --out.
Json evaluate_tracks(const EvaluateConfig& config);
int run_evaluate(const EvaluateConfig& config);  // prints that

}  // namespace frugal::swarm
