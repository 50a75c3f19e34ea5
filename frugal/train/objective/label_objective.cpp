#include "frugal/train/objective/label_objective.h"

#include <algorithm>
#include <cmath>

namespace frugal {

LabelObjective::LabelObjective(Decoder& decoder, std::vector<std::vector<std::int32_t>> options,
                               std::int64_t max_tokens)
    : decoder_(decoder), options_(std::move(options)), max_tokens_(max_tokens) {
  for (const auto& option : options_) single_ = single_ && option.size() == 1;
}

LabelObjective::Scored LabelObjective::option_scores(const WeightView& view, std::span<const Example* const> examples,
                                                     Tape* tape) {
  const std::size_t n = examples.size(), m = options_.size();
  const auto B = static_cast<std::size_t>(view.branches());
  Scored result;
  result.last.resize(n);
  PackedBatch& batch = result.batch;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t parent = batch.append(examples[i]->prompt);
    result.last[i] = batch.size() - 1;
    if (single_) continue;
    for (const auto& option : options_) {
      result.queries.push_back({result.last[i], option[0]});
      if (option.size() == 1) continue;
      const std::int64_t first = batch.size();
      batch.append(std::span(option).first(option.size() - 1), parent);
      for (std::size_t t = 1; t < option.size(); ++t)
        result.queries.push_back({first + static_cast<std::int64_t>(t) - 1, option[t]});
    }
  }
  decoder_.forward(view, batch, nullptr, tape);
  result.scores.resize(B * n * m, 0);
  if (single_) {
    const auto logits = decoder_.candidate_logits(view, result.last, words());
    std::copy(logits.begin(), logits.end(), result.scores.begin());
    return result;
  }
  const auto log_probabilities = decoder_.log_probabilities(view, result.queries);
  for (std::size_t row = 0, at = 0; row < B * n; ++row) {
    for (std::size_t o = 0; o < m; ++o) {
      double sum = 0;
      for (std::size_t t = 0; t < options_[o].size(); ++t) sum += log_probabilities[at++];
      result.scores[row * m + o] = sum / static_cast<double>(options_[o].size());
    }
  }
  return result;
}

std::vector<std::int32_t> LabelObjective::words() const {
  std::vector<std::int32_t> first;
  for (const auto& option : options_) first.push_back(option[0]);
  return first;
}

std::size_t LabelObjective::part(std::span<const Example* const> examples, std::size_t begin) const {
  std::size_t end = begin;
  for (std::int64_t tokens = 0; end < examples.size(); ++end) {
    tokens += static_cast<std::int64_t>(examples[end]->prompt.size());
    if (end > begin && tokens > max_tokens_) break;
  }
  return end - begin;
}

double LabelObjective::loss_of(std::span<const double> scores, std::int32_t label,
                               std::vector<double>& probabilities) const {
  const double best = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  probabilities.clear();
  for (const double score : scores) sum += probabilities.emplace_back(std::exp(score - best));
  for (double& p : probabilities) p /= sum;
  return best + std::log(sum) - scores[static_cast<std::size_t>(label)];
}

LabelObjective::Result LabelObjective::score(const WeightView& view, std::span<const Example* const> examples) {
  const std::size_t n = examples.size(), m = options_.size();
  const auto B = static_cast<std::size_t>(view.branches());
  Result result;
  result.losses.resize(B * n);
  result.predicted.resize(B * n);
  std::vector<double> probabilities;
  for (std::size_t begin = 0, count = 0; begin < n; begin += count) {
    count = part(examples, begin);
    const Scored found = option_scores(view, examples.subspan(begin, count), nullptr);
    for (std::size_t b = 0; b < B; ++b) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = std::span(found.scores).subspan((b * count + i) * m, m);
        result.losses[b * n + begin + i] = loss_of(row, examples[begin + i]->label, probabilities);
        result.predicted[b * n + begin + i] = std::max_element(row.begin(), row.end()) - row.begin();
      }
    }
  }
  return result;
}

double LabelObjective::loss_and_gradients(const WeightView& view, std::span<const Example* const> examples,
                                          double scale, bool keeps, Gradients& gradients) {
  const std::size_t m = options_.size();
  double sum = 0;
  std::vector<double> probabilities;
  for (std::size_t begin = 0, count = 0; begin < examples.size(); begin += count) {
    count = part(examples, begin);
    tape_.begin(gradients.lowest_layer(), keeps, gradients.next_part());
    const Scored found = option_scores(view, examples.subspan(begin, count), &tape_);
    std::vector<double> slopes(count * m);  // of scale times the loss, by score
    for (std::size_t i = 0; i < count; ++i) {
      const auto label = examples[begin + i]->label;
      sum += loss_of(std::span(found.scores).subspan(i * m, m), label, probabilities);
      for (std::size_t o = 0; o < m; ++o)
        slopes[i * m + o] = scale * (probabilities[o] - (o == static_cast<std::size_t>(label)));
    }
    if (!std::isfinite(sum)) return sum;
    if (single_) {
      const std::vector<float> of_logits(slopes.begin(), slopes.end());
      decoder_.backward_candidates(view, found.last, words(), of_logits, gradients);
    } else {  // a score is the mean of its tokens' log-probabilities
      std::vector<double> weights;
      for (std::size_t at = 0; at < slopes.size(); ++at) {
        const std::size_t length = options_[at % m].size();
        weights.insert(weights.end(), length, -slopes[at] / static_cast<double>(length));
      }
      decoder_.backward_log_probabilities(view, found.queries, weights, gradients);
    }
    decoder_.backward(view, found.batch, tape_, gradients);
  }
  return sum;
}

}  // namespace frugal
