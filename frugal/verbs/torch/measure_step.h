// What one step costs, on random tokens with the language-model loss on every token, or on the first examples of a file
// as tune trains them.
#pragma once
#include <string>

#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct MeasuredStep {
  std::string model, method = "mezo";  // or forward
  std::int64_t batch = 8, length = 128, repeats = 7;
  std::int64_t tokens = 0;  // of a step on data; 0: batch x length
  DataConfig data = {};
  Bytes memory = {};
  ComputeConfig compute = {};
};

// Seconds and bytes. settings: the method's, and what a plan chose.
Json measure_step(const MeasuredStep& step, const Json& settings);

}  // namespace frugal
