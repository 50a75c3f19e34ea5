#include "frugal/train/objective/sequence_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {

SequenceLoss::SequenceLoss(Model& model, const std::vector<Sequence>& sequences, std::int64_t max_tokens)
    : model_(model), sequences_(sequences), max_tokens_(max_tokens) {}

void SequenceLoss::each_part(Indices examples, const std::function<void(const Part&)>& run) const {
  for (std::size_t begin = 0; begin < examples.size();) {
    Part part;
    const std::size_t from = begin;
    do {
      const Sequence& s = sequences_[examples[begin++]];
      const std::int64_t first = part.batch.size();
      part.batch.append(s.tokens);
      for (std::size_t t = 1; t < s.tokens.size(); ++t) {
        if (s.is_target[t]) part.queries.push_back({first + static_cast<std::int64_t>(t) - 1, s.tokens[t]});
      }
    } while (begin < examples.size() &&
             part.batch.size() + static_cast<std::int64_t>(sequences_[examples[begin]].tokens.size()) <= max_tokens_);
    part.examples = examples.subspan(from, begin - from);
    run(part);
  }
}

double SequenceLoss::terms(Indices examples) const {
  std::int64_t sum = 0;
  for (const std::uint32_t index : examples) sum += sequences_[index].targets();
  return static_cast<double>(sum);
}

std::size_t SequenceLoss::forwards(Indices examples) const {
  std::size_t count = 0;
  each_part(examples, [&](const Part&) { ++count; });
  return count;
}

std::vector<double> SequenceLoss::loss_sums(const WeightView& view, Indices examples) {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  each_part(examples, [&](const Part& part) {
    const auto values = model_.forward(view, part.batch)->log_probabilities(part.queries);
    for (std::size_t i = 0; i < values.size(); ++i) sums[i / part.queries.size()] -= values[i];
  });
  return sums;
}

std::vector<double> SequenceLoss::error_sums(const WeightView&, Indices) {
  throw Error(Exit::usage, "--objective is accuracy, but the data has no labels",
              "give --labels, or leave --objective out");
}

double SequenceLoss::loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                                        Gradients& gradients) {
  double sum = 0;
  each_part(examples, [&](const Part& part) {
    if (!std::isfinite(sum)) return;
    const auto pass = model_.record(view, part.batch, gradients.tape_plan(keeps));
    for (const double value : pass->log_probabilities(part.queries)) sum -= value;
    if (!std::isfinite(sum)) return;
    pass->backward_log_probabilities(part.queries, std::vector<double>(part.queries.size(), scale), gradients);
    pass->backward(gradients);
  });
  return sum;
}

Json SequenceLoss::evaluate(const WeightView& view, const std::string& what) {
  std::vector<std::uint32_t> all(sequences_.size());
  std::iota(all.begin(), all.end(), 0u);
  Progress progress(all.size(), what);
  double sum = 0, targets = 0;
  for (std::size_t begin = 0; begin < all.size(); begin += together_) {
    throw_if_interrupted();
    const Indices part = std::span(all).subspan(begin, std::min(together_, all.size() - begin));
    sum += loss_sums(view, part)[0];
    targets += terms(part);
    guard();
    progress.update(begin + part.size());
  }
  const double loss = sum / targets;
  return {{"loss", loss}, {"perplexity", std::exp(loss)}, {"target_tokens", targets}, {"examples", all.size()}};
}

}  // namespace frugal
