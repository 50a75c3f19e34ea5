// Direct preference optimisation (arXiv:2305.18290, eq. 7), the sigmoid loss of TRL's DPOTrainer.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "frugal/data/preference_config.h"
#include "frugal/data/preference_task.h"
#include "frugal/nn/model/model.h"
#include "frugal/plan/cuts.h"
#include "frugal/train/objective/objective.h"

namespace frugal {

// The loss of a preference in nats, and its slope by `margin`, its reward margin beta * ((log p(chosen) - log
// p_ref(chosen)) - (log p(rejected) - log p_ref(rejected))): -(1 - s) log sigmoid(margin) - s log sigmoid(-margin) with
// the label smoothing s (conservative DPO; 0 is the paper's loss).
struct DpoTerm {
  double loss = 0, slope = 0;
};
DpoTerm dpo_term(double margin, double label_smoothing);

// A term of the loss is a preference. log p of an answer is the sum over its tokens. Prompt and both answers of one go
// through one forward, the prompt once.
class DpoLoss : public Objective {
 public:
  // max_tokens: packed tokens of one forward; a longer one goes alone. data outlives the objective.
  DpoLoss(Model& model, const PreferenceDataset& data, const PreferenceConfig& config,
          std::int64_t max_tokens = kPackedTokens);

  // log p_ref of chosen and rejected, [preference][2]. Until they are set, the weights themselves are the reference:
  // those a run begins with, whose margin is 0.
  std::vector<double> reference_of(const WeightView& view, const std::string& what);  // progress under that name
  void set_reference(std::vector<double> values) { reference_ = std::move(values); }

  std::size_t size() const override { return data_.preferences.size(); }
  std::vector<std::int32_t> classes() const override { return std::vector<std::int32_t>(size(), 0); }
  double terms(Indices examples) const override { return static_cast<double>(examples.size()); }
  std::size_t forwards(Indices examples) const override;
  std::vector<double> loss_sums(const WeightView& view, Indices examples) override;
  std::vector<double> error_sums(const WeightView& view, Indices examples) override;  // those without a margin > 0
  double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                            Gradients& gradients) override;
  // loss, rewards/chosen, rewards/rejected, rewards/accuracies, rewards/margins: means over the preferences, by TRL's
  // names.
  Json evaluate(const WeightView& view, const std::string& what) override;
  Metric metric() const override { return {"loss", false}; }
  Json take_details() override;

 private:
  struct Part {  // of one forward
    PackedBatch batch;
    std::vector<Pass::Query> queries;  // of chosen and rejected of each preference in turn
    std::vector<std::size_t> ends;     // of each answer's queries
    std::size_t begin = 0;             // of the examples, `ends.size() / 2` of them
  };
  struct Sums {
    double loss = 0, chosen = 0, rejected = 0, accuracies = 0, count = 0;
    Json means() const;
  };
  Part part(Indices examples, std::size_t begin) const;
  // Sums of the answers' log-probabilities, [answer], of one branch.
  static std::vector<double> answers(const Part& part, std::span<const double> log_probabilities);
  DpoTerm judge(std::uint32_t pair, double chosen, double rejected, Sums& sums) const;
  // Calls take(branch, index, log p of chosen, of rejected) for every branch and example.
  template <class Take>
  void each_preference(const WeightView& view, Indices examples, const Take& take);

  Model& model_;
  const PreferenceDataset& data_;
  PreferenceConfig config_;
  std::int64_t max_tokens_;
  std::vector<double> reference_;
  Sums sums_;  // of the training losses since take_details
};

}  // namespace frugal
