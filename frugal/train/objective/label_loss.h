// Classification by label words as an objective over a data set.
#pragma once
#include "frugal/train/objective/label_scores.h"
#include "frugal/train/objective/objective.h"

namespace frugal {

class LabelLoss : public Objective {
 public:
  // decides_balanced: balanced accuracy says which weights are best, else plain accuracy. task and data outlive the
  // objective.
  LabelLoss(Model& model, const PromptTask& task, const Dataset& data, bool decides_balanced);

  std::size_t size() const override { return data_.examples.size(); }
  std::vector<std::int32_t> classes() const override;
  double terms(Indices examples) const override { return static_cast<double>(examples.size()); }
  std::size_t forwards(Indices examples) const override;
  std::vector<double> loss_sums(const WeightView& view, Indices examples) override;
  std::vector<double> error_sums(const WeightView& view, Indices examples) override;
  double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                            Gradients& gradients) override;
  Json evaluate(const WeightView& view, const std::string& what) override;
  Metric metric() const override { return {decides_balanced_ ? "balanced_accuracy" : "accuracy"}; }

 private:
  std::vector<const Example*> chosen(Indices examples) const;
  Model& model_;
  const PromptTask& task_;
  const Dataset& data_;
  LabelScores scores_;
  bool decides_balanced_;
};

}  // namespace frugal
