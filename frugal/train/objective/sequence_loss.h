// The language-model loss on the target tokens of sequences: supervised fine-tuning, and plain text.
#pragma once
#include "frugal/data/sequence_task.h"
#include "frugal/nn/model/model.h"
#include "frugal/plan/cuts.h"
#include "frugal/train/objective/objective.h"

namespace frugal {

class SequenceLoss : public Objective {
 public:
  // max_tokens: packed tokens of one forward; a longer sequence goes alone. sequences outlive the objective.
  SequenceLoss(Model& model, const std::vector<Sequence>& sequences, std::int64_t max_tokens = kPackedTokens);

  std::size_t size() const override { return sequences_.size(); }
  std::vector<std::int32_t> classes() const override { return std::vector<std::int32_t>(sequences_.size(), 0); }
  double terms(Indices examples) const override;  // target tokens
  std::size_t forwards(Indices examples) const override;
  std::vector<double> loss_sums(const WeightView& view, Indices examples) override;
  std::vector<double> error_sums(const WeightView& view,
                                 Indices examples) override;  // Error(Exit::usage): sequences have none
  double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool keeps,
                            Gradients& gradients) override;
  Json evaluate(const WeightView& view, const std::string& what) override;  // loss, perplexity
  Metric metric() const override { return {"loss", false}; }

  void set_together(std::size_t sequences) { together_ = sequences; }  // of one call of an evaluation

 protected:
  struct Part {
    Indices examples;
    PackedBatch batch;
    std::vector<Pass::Query> queries;
  };
  // Calls run with each forward's packed sequences.
  void each_part(Indices examples, const std::function<void(const Part&)>& run) const;
  Model& model_;

 private:
  const std::vector<Sequence>& sequences_;
  std::int64_t max_tokens_;
  std::size_t together_ = 16;
};

}  // namespace frugal
