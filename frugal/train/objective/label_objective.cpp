#include "frugal/train/objective/label_objective.h"

#include <algorithm>
#include <cmath>

namespace frugal {

LabelObjective::LabelObjective(Decoder& decoder, std::vector<std::vector<std::int32_t>> options, std::int64_t max_tokens)
    : decoder_(decoder), options_(std::move(options)), max_tokens_(max_tokens) {
  for (const auto& option : options_) single_ = single_ && option.size() == 1;
}

// [branch][example][option]
std::vector<double> LabelObjective::option_scores(const WeightView& view, std::span<const Example* const> examples) {
  const std::size_t n = examples.size(), m = options_.size();
  const auto B = static_cast<std::size_t>(view.branches());
  PackedBatch batch;
  std::vector<std::int64_t> last(n);
  std::vector<Decoder::Query> queries;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t parent = batch.append(examples[i]->prompt);
    last[i] = batch.size() - 1;
    if (single_) continue;
    for (const auto& option : options_) {
      queries.push_back({last[i], option[0]});
      if (option.size() == 1) continue;
      const std::int64_t first = batch.size();
      batch.append(std::span(option).first(option.size() - 1), parent);
      for (std::size_t t = 1; t < option.size(); ++t) queries.push_back({first + static_cast<std::int64_t>(t) - 1, option[t]});
    }
  }
  decoder_.forward(view, batch);
  std::vector<double> scores(B * n * m, 0);
  if (single_) {
    std::vector<std::int32_t> words;
    for (const auto& option : options_) words.push_back(option[0]);
    const auto logits = decoder_.candidate_logits(view, last, words);
    std::copy(logits.begin(), logits.end(), scores.begin());
    return scores;
  }
  const auto log_probabilities = decoder_.log_probabilities(view, queries);
  for (std::size_t b = 0, at = 0; b < B; ++b) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t o = 0; o < m; ++o) {
        double sum = 0;
        for (std::size_t t = 0; t < options_[o].size(); ++t) sum += log_probabilities[at++];
        scores[(b * n + i) * m + o] = sum / static_cast<double>(options_[o].size());
      }
    }
  }
  return scores;
}

LabelObjective::Result LabelObjective::score(const WeightView& view, std::span<const Example* const> examples) {
  const std::size_t n = examples.size(), m = options_.size();
  const auto B = static_cast<std::size_t>(view.branches());
  Result result;
  result.losses.resize(B * n);
  result.predicted.resize(B * n);
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    std::int64_t tokens = 0;
    while (end < n && (end == begin || tokens + static_cast<std::int64_t>(examples[end]->prompt.size()) <= max_tokens_)) {
      tokens += static_cast<std::int64_t>(examples[end++]->prompt.size());
    }
    const auto scores = option_scores(view, examples.subspan(begin, end - begin));
    for (std::size_t b = 0; b < B; ++b) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto row = std::span(scores).subspan((b * (end - begin) + i - begin) * m, m);
        const auto best = std::max_element(row.begin(), row.end());
        double sum = 0;
        for (const double score : row) sum += std::exp(score - *best);
        result.losses[b * n + i] = *best + std::log(sum) - row[static_cast<std::size_t>(examples[i]->label)];
        result.predicted[b * n + i] = best - row.begin();
      }
    }
  }
  return result;
}

}  // namespace frugal
