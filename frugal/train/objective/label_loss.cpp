#include "frugal/train/objective/label_loss.h"

#include "frugal/train/objective/evaluate.h"

namespace frugal {

LabelLoss::LabelLoss(Model& model, const PromptTask& task, const Dataset& data, bool decides_balanced)
    : model_(model), task_(task), data_(data), scores_(model, task.options()), decides_balanced_(decides_balanced) {}

std::vector<std::int32_t> LabelLoss::classes() const {
  std::vector<std::int32_t> labels;
  for (const Example& example : data_.examples) labels.push_back(example.label);
  return labels;
}

std::vector<const Example*> LabelLoss::chosen(Indices examples) const {
  std::vector<const Example*> all;
  for (const std::uint32_t index : examples) all.push_back(&data_.examples[index]);
  return all;
}

std::size_t LabelLoss::forwards(Indices examples) const {
  const auto all = chosen(examples);
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < all.size(); ++count) begin += scores_.part(all, begin);
  return count;
}

std::vector<double> LabelLoss::loss_sums(const WeightView& view, Indices examples) {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  const auto found = scores_.score(view, chosen(examples));
  for (std::size_t i = 0; i < found.losses.size(); ++i) sums[i / examples.size()] += found.losses[i];
  return sums;
}

std::vector<double> LabelLoss::error_sums(const WeightView& view, Indices examples) {
  std::vector<double> sums(static_cast<std::size_t>(view.branches()), 0);
  const auto found = scores_.score(view, chosen(examples));
  for (std::size_t i = 0; i < found.predicted.size(); ++i) {
    sums[i / examples.size()] += found.predicted[i] != data_.examples[examples[i % examples.size()]].label;
  }
  return sums;
}

double LabelLoss::loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                                     Gradients& gradients) {
  return scores_.loss_and_gradients(view, chosen(examples), scale, keeps, gradients);
}

Json LabelLoss::evaluate(const WeightView& view, const std::string& what) {
  const Evaluation found =
      frugal::evaluate(model_, view, task_, data_.examples, what, kEvaluatedTogether, [this] { guard(); });
  return {{"accuracy", found.metrics.accuracy},
          {"balanced_accuracy", found.metrics.balanced_accuracy},
          {"f1", found.metrics.f1},
          {"loss", found.loss},
          {"examples", data_.examples.size()},
          {"confusion", found.metrics.confusion}};
}

}  // namespace frugal
