// Label words scored over a whole data set.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "frugal/train/objective/label_scores.h"
#include "frugal/train/objective/metrics.h"

namespace frugal {

struct Evaluation {
  ClassificationMetrics metrics;
  double loss = 0;
  std::vector<std::int64_t> predicted;
};
// Scores every example, `batch` of them together (progress after two seconds), and reduces. guard: called after
// each batch; may throw.
Evaluation evaluate(Model& model, const WeightView& view, const PromptTask& task, const std::vector<Example>& examples,
                    const std::string& what, std::int64_t batch = kEvaluatedTogether,
                    const std::function<void()>& guard = {});

}  // namespace frugal
