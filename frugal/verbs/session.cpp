#include "frugal/verbs/session.h"

#include <algorithm>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/base/processor.h"
#include "frugal/base/progress.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/core/products.h"

namespace frugal {
namespace {

int thread_count(std::int64_t wish) { return static_cast<int>(wish > 0 ? wish : usable_cores()); }

}  // namespace

std::uint64_t peak_rss_bytes() { return memory_usage().peak; }

std::string option(const Json& settings, const char* name) {
  const auto found = settings.find(name);
  return found != settings.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Session::Session(const Json& settings)
    : Session(ModelSource::open(option(settings, "model")), option(settings, "weights"), settings.value("threads", std::int64_t{0})) {}

Session::Session(std::shared_ptr<const ModelSource> source_, const std::string& weights, std::int64_t wish)
    : floor_bytes(peak_rss_bytes()), threads(thread_count(wish), single_threaded_torch), source(std::move(source_)),
      tokenizer(source->tokenizer()), store(source, weights.empty() ? WeightType::bf16 : parse_weight_type(weights), threads), view(store),
      decoder(store.shape(), threads, best_compute()) {}

double Session::seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

Evaluation evaluate(Decoder& decoder, const WeightView& view, const PromptTask& task, const std::vector<Example>& examples,
                    const std::string& what, std::int64_t batch, BudgetGuard* guard) {
  LabelObjective objective(decoder, task.options(), 1024);
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
    const LabelObjective::Result scored = objective.score(view, part);
    result.loss += std::accumulate(scored.losses.begin(), scored.losses.end(), 0.0);
    result.predicted.insert(result.predicted.end(), scored.predicted.begin(), scored.predicted.end());
    if (guard != nullptr) guard->check("a batch");
    progress.update(labels.size());
  }
  result.loss /= static_cast<double>(std::max<std::size_t>(1, examples.size()));
  result.metrics = classification_metrics(labels, result.predicted, static_cast<std::int64_t>(task.options().size()));
  return result;
}

}  // namespace frugal
