// A zeroth-order tuner from a method's settings, or from the log of a run.
#pragma once
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/tune/torch/trained_parts.h"

namespace frugal {

// mask: which weights take part, where that is not all of them.
inline std::unique_ptr<Tuner> make_zeroth_order(const ZerothOrderConfig& config, TunerContext& context,
                                                const MaskConfig& mask = {}) {
  const LoggedEngine engine{config, mask, context.run.seed};
  Threads& threads = context.threads;
  return std::make_unique<ZerothOrderTuner>(trained_parts(config.trained, engine.seed, context.store, threads), threads,
                                            context.objective, engine, describe_trained(config.trained));
}

// A tuner that replays a log of any method of the engine: its header says all of it.
inline std::unique_ptr<Tuner> replay_zeroth_order(const Json& header, TunerContext& context) {
  const LoggedEngine engine = logged_engine(header);
  const TrainedConfig& trained = engine.config.trained;
  validate(trained);
  const Json description = describe_trained(trained);
  require_same_adapter(trained, description, header);
  Threads& threads = context.threads;
  return std::make_unique<ZerothOrderTuner>(trained_parts(trained, engine.seed, context.store, threads), threads,
                                            nullptr, engine, description);
}

}  // namespace frugal
