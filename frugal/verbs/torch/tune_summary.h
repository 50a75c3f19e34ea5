// What tune says of a run: before its steps, of an evaluation, at its end.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/nn/model/weight_store.h"
#include "frugal/train/config/step.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/verbs/common/tune_config.h"

namespace frugal {

// "training  lora: 2.44 of 134.52 million numbers (1.82 %), lr 0.0003, 100 steps of 16 (1.60 epochs)"
std::string training_line(const TuneConfig& config, const StepConfig& step, std::uint64_t trained,
                          const WeightStore& store, std::size_t examples);
// " accuracy 0.9100 loss 0.2345": those of an evaluation that are shown, in their order.
std::string shown_metrics(const Json& evaluation);
// The results of a run that has ended, and with what comes next.
std::string training_lines(const Json& results, const RunFolder& folder);
std::string closing_lines(const std::string& model, const Json& results, const RunFolder& folder);

}  // namespace frugal
