// What tune says of a run: before its steps, of an evaluation, at its end.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "frugal/base/json.h"
#include "frugal/nn/weight_store.h"

namespace frugal {

// "training  lora: 2.44 of 134.52 million numbers (1.82 %), lr 0.0003, 100 steps of 16 (1.60 epochs)"
std::string training_line(const Json& settings, std::uint64_t trained, const WeightStore& store, std::size_t examples);
// " accuracy 0.9100 loss 0.2345": those of an evaluation that are shown, in their order.
std::string shown_metrics(const Json& evaluation);
// The results of a run that has ended, on stdout: a line of JSON with --json, else what was reached and what comes
// next.
void print_results(const Json& settings, const std::filesystem::path& run, const Json& results,
                   const std::string& weights_sha256);

}  // namespace frugal
