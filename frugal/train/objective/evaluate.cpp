#include "frugal/train/objective/evaluate.h"

#include <algorithm>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {

Evaluation evaluate(Model& model, const WeightView& view, const PromptTask& task, const std::vector<Example>& examples,
                    const std::string& what, std::int64_t batch, const std::function<void()>& guard) {
  LabelScores scores(model, task.options());
  Evaluation result;
  std::vector<std::int64_t> labels;
  Progress progress(examples.size(), what);
  for (std::size_t begin = 0; begin < examples.size(); begin += static_cast<std::size_t>(batch)) {
    throw_if_interrupted();
    std::vector<const Example*> part;
    for (std::size_t i = begin; i < std::min(examples.size(), begin + static_cast<std::size_t>(batch)); ++i) {
      part.push_back(&examples[i]);
      labels.push_back(examples[i].label);
    }
    const LabelScores::Result scored = scores.score(view, part);
    result.loss += std::accumulate(scored.losses.begin(), scored.losses.end(), 0.0);
    result.predicted.insert(result.predicted.end(), scored.predicted.begin(), scored.predicted.end());
    if (guard) guard();
    progress.update(labels.size());
  }
  result.loss /= static_cast<double>(std::max<std::size_t>(1, examples.size()));
  result.metrics = classification_metrics(labels, result.predicted, static_cast<std::int64_t>(task.options().size()));
  return result;
}

}  // namespace frugal
