// Sequences judged by what the model writes, too: the loss on the answers, and answers generated from the prompts.
#pragma once
#include <string>
#include <vector>

#include "frugal/data/answer_examples.h"
#include "frugal/nn/generate/generate_many.h"
#include "frugal/train/objective/sequence_loss.h"

namespace frugal {

class GeneratedAnswers : public SequenceLoss {
 public:
  // data: with the loss on answers alone; see answer_examples. An answer ends at the stop tokens of `generation` and at
  // those that end references. tokenizer and data outlive the objective.
  GeneratedAnswers(Model& model, const Tokenizer& tokenizer, const SequenceDataset& data, Match match,
                   ManyOptions generation);

  // Those of SequenceLoss; means over the examples: exact_match, f1 and rougeL, see answer_metrics.h; new_tokens.
  Json evaluate(const WeightView& view, const std::string& what) override;
  const std::vector<WrittenAnswer>& answers() const { return examples_.answers; }  // of the last evaluate

 private:
  Model& model_;
  const Tokenizer& tokenizer_;
  Match match_;
  ManyOptions generation_;
  AnswerExamples examples_;
};

}  // namespace frugal
