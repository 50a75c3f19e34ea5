#include "frugal/train/objective/dpo_loss.h"

#include <cmath>
#include <numeric>

#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {
namespace {

// log(1 + exp(x)) without overflow.
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

constexpr std::size_t kTogether = 16;  // preferences of one call of an evaluation

}  // namespace

DpoTerm dpo_term(double margin, double label_smoothing) {
  const double s = label_smoothing;  // -log sigmoid(x) = softplus(-x)
  return {(1 - s) * softplus(-margin) + s * softplus(margin), s * sigmoid(margin) - (1 - s) * sigmoid(-margin)};
}

DpoLoss::DpoLoss(Model& model, const PreferenceDataset& data, const PreferenceConfig& config, std::int64_t max_tokens)
    : model_(model), data_(data), config_(config), max_tokens_(max_tokens) {}

Json DpoLoss::Sums::means() const {
  return {{"loss", loss / count},
          {"rewards/chosen", chosen / count},
          {"rewards/rejected", rejected / count},
          {"rewards/accuracies", accuracies / count},
          {"rewards/margins", (chosen - rejected) / count}};
}

DpoLoss::Part DpoLoss::part(Indices examples, std::size_t begin) const {
  Part part;
  part.begin = begin;
  for (std::size_t i = begin; i < examples.size(); ++i) {
    const Preference& pair = data_.preferences[examples[i]];
    if (i > begin && part.batch.size() + static_cast<std::int64_t>(pair.packed_tokens()) > max_tokens_) break;
    const std::int64_t prompt = part.batch.append(std::span(pair.chosen.tokens).first(pair.prompt));
    const std::int64_t prompt_end = part.batch.size();
    for (const Sequence* side : {&pair.chosen, &pair.rejected}) {
      const auto& tokens = side->tokens;
      const std::int64_t first = part.batch.size();
      // The last token predicts nothing.
      if (tokens.size() > pair.prompt + 1)
        part.batch.append(std::span(tokens).subspan(pair.prompt, tokens.size() - pair.prompt - 1), prompt);
      for (std::size_t t = pair.prompt; t < tokens.size(); ++t) {
        if (side->is_target[t] == 0) continue;
        const auto behind = static_cast<std::int64_t>(t - pair.prompt);
        part.queries.push_back({behind == 0 ? prompt_end - 1 : first + behind - 1, tokens[t]});
      }
      part.ends.push_back(part.queries.size());
    }
  }
  return part;
}

std::vector<double> DpoLoss::answers(const Part& part, std::span<const double> log_probabilities) {
  std::vector<double> sums;
  std::size_t at = 0;
  for (const std::size_t end : part.ends) {
    double sum = 0;
    for (; at < end; ++at) sum += log_probabilities[at];
    sums.push_back(sum);
  }
  return sums;
}

template <class Take>
void DpoLoss::each_preference(const WeightView& view, Indices examples, const Take& take) {
  for (std::size_t begin = 0; begin < examples.size();) {
    const Part part = this->part(examples, begin);
    const auto values = model_.forward(view, part.batch)->log_probabilities(part.queries);
    for (int b = 0; b < view.branches(); ++b) {
      const std::size_t n = part.queries.size();
      const auto sums = answers(part, std::span(values).subspan(static_cast<std::size_t>(b) * n, n));
      for (std::size_t i = 0; 2 * i < sums.size(); ++i) take(b, begin + i, sums[2 * i], sums[2 * i + 1]);
    }
    begin += part.ends.size() / 2;
  }
}

DpoTerm DpoLoss::judge(std::uint32_t pair, double chosen, double rejected, Sums& sums) const {
  const bool is_own = reference_.empty();
  const double reward_chosen = config_.beta * (chosen - (is_own ? chosen : reference_[2 * pair])),
               reward_rejected = config_.beta * (rejected - (is_own ? rejected : reference_[2 * pair + 1]));
  const DpoTerm term = dpo_term(reward_chosen - reward_rejected, config_.label_smoothing);
  sums.loss += term.loss;
  sums.chosen += reward_chosen;
  sums.rejected += reward_rejected;
  sums.accuracies += reward_chosen > reward_rejected;
  sums.count += 1;
  return term;
}

std::vector<double> DpoLoss::reference_of(const WeightView& view, const std::string& what) {
  std::vector<std::uint32_t> all(size());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<double> values(2 * size());
  Progress progress(size(), what);
  for (std::size_t begin = 0; begin < all.size(); begin += kTogether) {
    throw_if_interrupted();
    const Indices some = std::span(all).subspan(begin, std::min(kTogether, all.size() - begin));
    each_preference(view, some, [&](int, std::size_t i, double chosen, double rejected) {
      values[2 * (begin + i)] = chosen;
      values[2 * (begin + i) + 1] = rejected;
    });
    guard();
    progress.update(begin + some.size());
  }
  return values;
}

std::size_t DpoLoss::forwards(Indices examples) const {
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < examples.size(); ++count) begin += part(examples, begin).ends.size() / 2;
  return count;
}

std::vector<double> DpoLoss::loss_sums(const WeightView& view, Indices examples) {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  each_preference(view, examples, [&](int b, std::size_t i, double chosen, double rejected) {
    sums[static_cast<std::size_t>(b)] += judge(examples[i], chosen, rejected, sums_).loss;
  });
  return sums;
}

std::vector<double> DpoLoss::error_sums(const WeightView& view, Indices examples) {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  each_preference(view, examples, [&](int b, std::size_t i, double chosen, double rejected) {
    Sums one;
    judge(examples[i], chosen, rejected, one);
    sums[static_cast<std::size_t>(b)] += 1 - one.accuracies;
  });
  return sums;
}

double DpoLoss::loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                                   Gradients& gradients) {
  double sum = 0;
  for (std::size_t begin = 0; begin < examples.size() && std::isfinite(sum);) {
    const Part part = this->part(examples, begin);
    begin += part.ends.size() / 2;
    const auto pass = model_.record(view, part.batch, gradients.tape_plan(keeps));
    const auto found = answers(part, pass->log_probabilities(part.queries));
    std::vector<double> weights;  // of -log p, for every query
    for (std::size_t i = 0; 2 * i < found.size(); ++i) {
      const DpoTerm term = judge(examples[part.begin + i], found[2 * i], found[2 * i + 1], sums_);
      sum += term.loss;
      const double weight = -scale * config_.beta * term.slope;
      weights.resize(part.ends[2 * i], weight);
      weights.resize(part.ends[2 * i + 1], -weight);
    }
    if (!std::isfinite(sum)) return sum;
    pass->backward_log_probabilities(part.queries, weights, gradients);
    pass->backward(gradients);
  }
  return sum;
}

Json DpoLoss::evaluate(const WeightView& view, const std::string& what) {
  std::vector<std::uint32_t> all(size());
  std::iota(all.begin(), all.end(), 0u);
  Sums sums;
  Progress progress(size(), what);
  for (std::size_t begin = 0; begin < all.size(); begin += kTogether) {
    throw_if_interrupted();
    const Indices some = std::span(all).subspan(begin, std::min(kTogether, all.size() - begin));
    each_preference(view, some, [&](int, std::size_t i, double chosen, double rejected) {
      judge(some[i], chosen, rejected, sums);
    });
    guard();
    progress.update(begin + some.size());
  }
  Json result = sums.means();
  result["examples"] = size();
  return result;
}

Json DpoLoss::take_details() {
  if (sums_.count == 0) return Json::object();
  Json means = sums_.means();
  means.erase("loss");  // the step's own is that of the batch
  sums_ = {};
  return means;
}

}  // namespace frugal
