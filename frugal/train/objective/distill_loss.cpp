#include "frugal/train/objective/distill_loss.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"

namespace frugal {

// With t and p the probabilities of the k words, r and q those of all others together:
//   KL = sum t log(t / p) + r log(r / q),   dKL/dlogit_j = p_j - t_j for a word, p_j (1 - c) for another, c = r / q,
// which is the gradient of -sum w log p with w = t - c p: the w sum to 1 - c. What is left of the mean of all words is
// rounded as bf16 rounds, and c times that: so r log(r / q) goes on in a straight line below q = r / 2, where c is 2.
double divergence(std::span<const float> teacher, std::span<const double> model, std::span<double> weights) {
  constexpr double kMost = 2, kLeast = 1e-5;  // of c; of r, below which it is rounding
  double r = 1, q = 1, kl = 0;
  for (std::size_t i = 0; i < teacher.size(); ++i) {
    const double t = std::exp(static_cast<double>(teacher[i]));
    r -= t;
    q -= std::exp(model[i]);
    kl += t * (static_cast<double>(teacher[i]) - model[i]);
  }
  double c = 0;
  if (r > kLeast) {
    const double above = std::max(q, r / kMost);
    c = r / above;
    kl += r * std::log(r / above) + kMost * (above - q);
  }
  for (std::size_t i = 0; i < teacher.size(); ++i)
    weights[i] = std::exp(static_cast<double>(teacher[i])) - c * std::exp(model[i]);
  return kl;
}

DistillLoss::Lesson DistillLoss::lesson(const Part& part) {
  std::vector<std::int64_t> rows;
  for (const Pass::Query& query : part.queries) rows.push_back(query.row);
  Lesson lesson{teacher_->words(part.examples, part.batch, rows), part.queries};
  for (const std::int32_t word : lesson.words.words) {
    if (word < 0 || word >= model_.shape().vocab)
      throw Error(Exit::input,
                  "the teacher says word " + std::to_string(word) + " of " + std::to_string(model_.shape().vocab),
                  "remove teacher.bin from the run's folder; the teacher then runs again");
  }
  std::size_t at = 0;
  for (const std::int64_t row : rows) {
    for (std::int64_t i = 0; i < lesson.words.k; ++i) lesson.queries.push_back({row, lesson.words.words[at++]});
  }
  return lesson;
}

double DistillLoss::judge(const Lesson& lesson, std::size_t targets, std::span<const double> log_p, double* weights) {
  const auto k = static_cast<std::size_t>(lesson.words.k);
  double sum = 0;
  std::vector<double> of_words(k);
  for (std::size_t i = 0; i < targets; ++i) {
    const double ce = -log_p[i], kl = divergence(std::span(lesson.words.log_p).subspan(i * k, k),
                                                 log_p.subspan(targets + i * k, k), of_words);
    sum += config_.ce_weight * ce + config_.kl_weight * kl;
    sums_.ce += ce;
    sums_.kl += kl;
    sums_.count += 1;
    if (weights == nullptr) continue;
    weights[i] = config_.ce_weight;
    for (std::size_t j = 0; j < k; ++j) weights[targets + i * k + j] = config_.kl_weight * of_words[j];
  }
  return sum;
}

std::vector<double> DistillLoss::loss_sums(const WeightView& view, Indices examples) {
  if (teacher_ == nullptr) return SequenceLoss::loss_sums(view, examples);
  if (config_.hidden_weight > 0)
    throw Error(Exit::usage, "--hidden-weight is above 0, but a loss without a backward pass sees no layers' outputs",
                "--hidden-weight 0, or a method with a backward pass: lora, badam, spruft, full");
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  each_part(examples, [&](const Part& part) {
    const Lesson lesson = this->lesson(part);
    const auto log_p = model_.forward(view, part.batch)->log_probabilities(lesson.queries);
    const std::size_t count = lesson.queries.size();
    for (std::size_t b = 0; b < sums.size(); ++b)
      sums[b] += judge(lesson, part.queries.size(), std::span(log_p).subspan(b * count, count), nullptr);
  });
  return sums;
}

double DistillLoss::loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                                       Gradients& gradients) {
  if (teacher_ == nullptr) return SequenceLoss::loss_and_gradients(view, examples, scale, keeps, gradients);
  double sum = 0;
  each_part(examples, [&](const Part& part) {
    if (!std::isfinite(sum)) return;
    const Lesson lesson = this->lesson(part);
    const auto pass = model_.record(view, part.batch, gradients.tape_plan(keeps));
    const auto log_p = pass->log_probabilities(lesson.queries);
    std::vector<double> weights(lesson.queries.size());
    sum += judge(lesson, part.queries.size(), log_p, weights.data());
    if (!std::isfinite(sum)) return;
    for (double& weight : weights) weight *= scale;
    pass->backward_log_probabilities(lesson.queries, weights, gradients);
    HiddenLoss hidden;
    if (config_.hidden_weight > 0) {
      hidden = [&](std::size_t layer, const float* h, float* dh) { sum += add_hidden(part, layer, h, dh, scale); };
    }
    pass->backward(gradients, hidden);
  });
  return sum;
}

double DistillLoss::add_hidden(const Part& part, std::size_t layer, const float* h, float* dh, double scale) {
  const std::int64_t C = model_.shape().hidden;
  const double share = config_.hidden_weight / static_cast<double>(model_.shape().layers.size());
  const kernels::Bf16* theirs = teacher_->hidden(layer);
  std::vector<float> t(static_cast<std::size_t>(C));
  double sum = 0;
  for (const Pass::Query& query : part.queries) {
    const float* x = h + query.row * C;
    float* dx = dh + query.row * C;
    kernels::to_float(theirs + query.row * C, t.data(), t.size());
    double distance = 0, length = 0;
    for (std::int64_t j = 0; j < C; ++j) {
      const double own = t[static_cast<std::size_t>(j)], off = static_cast<double>(x[j]) - own;
      distance += off * off;
      length += own * own;
    }
    length = std::max(length, 1e-12);
    sum += share * distance / length;
    const auto slope = static_cast<float>(2 * share * scale / length);
    for (std::int64_t j = 0; j < C; ++j) dx[j] += slope * (x[j] - t[static_cast<std::size_t>(j)]);
  }
  sums_.hidden += sum / config_.hidden_weight;
  return sum;
}

Json DistillLoss::take_details() {
  if (sums_.count == 0) return Json::object();
  Json means = {{"ce", sums_.ce / sums_.count}, {"kl", sums_.kl / sums_.count}};
  if (config_.hidden_weight > 0) means["hidden"] = sums_.hidden / sums_.count;
  sums_ = {};
  return means;
}

}  // namespace frugal
