#include "frugal/train/objective/label_scores.h"

#include <algorithm>
#include <cmath>

namespace frugal {

LabelScores::LabelScores(Model& model, std::vector<std::vector<std::int32_t>> options, std::int64_t max_tokens)
    : model_(model), options_(std::move(options)), max_tokens_(max_tokens) {
  for (const auto& option : options_) {
    single_ = single_ && option.size() == 1;
    branched_ += static_cast<std::int64_t>(option.size()) - 1;
  }
}

LabelScores::Part LabelScores::pack(std::span<const Example* const> examples) const {
  Part part;
  PackedBatch& batch = part.batch;
  for (const Example* example : examples) {
    const std::int64_t parent = batch.append(example->prompt);
    const std::int64_t last = part.last.emplace_back(batch.size() - 1);
    if (single_) continue;
    for (const auto& option : options_) {
      part.queries.push_back({last, option[0]});
      if (option.size() == 1) continue;
      const std::int64_t first = batch.size();
      batch.append(std::span(option).first(option.size() - 1), parent);
      for (std::size_t t = 1; t < option.size(); ++t)
        part.queries.push_back({first + static_cast<std::int64_t>(t) - 1, option[t]});
    }
  }
  return part;
}

std::vector<double> LabelScores::option_scores(Pass& pass, const Part& part) const {
  if (single_) {
    const auto logits = pass.candidate_logits(part.last, words());
    return {logits.begin(), logits.end()};
  }
  const std::size_t m = options_.size();
  const auto log_probabilities = pass.log_probabilities(part.queries);
  std::vector<double> scores;
  for (std::size_t at = 0; at < log_probabilities.size();) {
    const std::size_t length = options_[scores.size() % m].size();
    double sum = 0;
    for (std::size_t t = 0; t < length; ++t) sum += log_probabilities[at++];
    scores.push_back(sum / static_cast<double>(length));
  }
  return scores;
}

std::vector<std::int32_t> LabelScores::words() const {
  std::vector<std::int32_t> first;
  for (const auto& option : options_) first.push_back(option[0]);
  return first;
}

std::size_t LabelScores::part(std::span<const Example* const> examples, std::size_t begin) const {
  std::size_t end = begin;
  for (std::int64_t tokens = 0; end < examples.size(); ++end) {
    tokens += static_cast<std::int64_t>(examples[end]->prompt.size()) + branched_;
    if (end > begin && tokens > max_tokens_) break;
  }
  return end - begin;
}

// Cross-entropy over the options' scores s: log sum_o exp(s_o) - s_label, and p = softmax(s).
double LabelScores::loss_of(std::span<const double> scores, std::int32_t label,
                            std::vector<double>& probabilities) const {
  const double best = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  probabilities.clear();
  for (const double score : scores) sum += probabilities.emplace_back(std::exp(score - best));
  for (double& p : probabilities) p /= sum;
  return best + std::log(sum) - scores[static_cast<std::size_t>(label)];
}

LabelScores::Result LabelScores::score(const WeightView& view, std::span<const Example* const> examples) {
  const std::size_t n = examples.size(), m = options_.size();
  const auto B = static_cast<std::size_t>(view.branches());
  Result result;
  result.losses.resize(B * n);
  result.predicted.resize(B * n);
  std::vector<double> probabilities;
  for (std::size_t begin = 0, count = 0; begin < n; begin += count) {
    count = part(examples, begin);
    const Part one = pack(examples.subspan(begin, count));
    const std::vector<double> scores = option_scores(*model_.forward(view, one.batch), one);
    for (std::size_t b = 0; b < B; ++b) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = std::span(scores).subspan((b * count + i) * m, m);
        result.losses[b * n + begin + i] = loss_of(row, examples[begin + i]->label, probabilities);
        result.predicted[b * n + begin + i] = std::max_element(row.begin(), row.end()) - row.begin();
      }
    }
  }
  return result;
}

double LabelScores::loss_and_gradients(const WeightView& view, std::span<const Example* const> examples, double scale,
                                       bool keeps, Gradients& gradients) {
  const std::size_t m = options_.size();
  double sum = 0;
  std::vector<double> probabilities;
  for (std::size_t begin = 0, count = 0; begin < examples.size(); begin += count) {
    count = part(examples, begin);
    const Part one = pack(examples.subspan(begin, count));
    const auto pass = model_.record(view, one.batch, gradients.tape_plan(keeps));
    const std::vector<double> scores = option_scores(*pass, one);
    std::vector<double> slopes(count * m);  // of scale times the loss, by score: scale (p - 1 of the label)
    for (std::size_t i = 0; i < count; ++i) {
      const auto label = examples[begin + i]->label;
      sum += loss_of(std::span(scores).subspan(i * m, m), label, probabilities);
      for (std::size_t o = 0; o < m; ++o)
        slopes[i * m + o] = scale * (probabilities[o] - (o == static_cast<std::size_t>(label)));
    }
    if (!std::isfinite(sum)) return sum;
    if (single_) {
      const std::vector<float> of_logits(slopes.begin(), slopes.end());
      pass->backward_candidates(one.last, words(), of_logits, gradients);
    } else {  // a score is the mean of its tokens' log-probabilities
      std::vector<double> weights;
      for (std::size_t at = 0; at < slopes.size(); ++at) {
        const std::size_t length = options_[at % m].size();
        weights.insert(weights.end(), length, -slopes[at] / static_cast<double>(length));
      }
      pass->backward_log_probabilities(one.queries, weights, gradients);
    }
    pass->backward(gradients);
  }
  return sum;
}

}  // namespace frugal
