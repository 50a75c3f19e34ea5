// Examples of --data as a task to prune on: label words, or answers; what is measured are --eval, or the last tenth.
#pragma once
#include <memory>
#include <optional>

#include "frugal/prune/torch/prune_model.h"
#include "frugal/prune/torch/task.h"
#include "frugal/train/objective/objective.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {

class DataTask : public PruneTask {
 public:
  // model: whose tokenizer and chat template read the data. utility: what masks are judged by, empty where there are
  // none; one that needs answers is measured, too. Error: see PromptTask, SequenceTask and answer_examples.
  DataTask(const PruneVerbConfig& config, const std::string& utility, const ModelSource& model, std::uint64_t seed);

  std::vector<double> metric(PruneModel& model, const std::string& name, std::uint64_t round,
                             const std::vector<ModelMask>& masks) override;
  std::vector<double> likelihood(PruneModel& model, std::uint64_t round, const std::vector<ModelMask>& masks) override;
  // Metrics on what is measured, see Objective::evaluate; which of them says most of the task.
  Json measure(Model& model, const WeightView& view);
  double targets() const;  // tokens of answers that are measured; 0: labels, of which whole words count
  std::string metric_name() const { return prompts_ ? "accuracy" : writes_ ? utility_ : "perplexity"; }
  // Of the examples that are pruned on, one after the other.
  std::vector<std::int32_t> tokens() const;

 private:
  struct Data {  // one of the two
    Dataset labelled;
    SequenceDataset sequences;
  };
  Data load(const std::string& path) const;
  std::unique_ptr<Objective> objective(Model& model, const Data& data) const;
  // The same examples for all masks of a round.
  std::unique_ptr<Objective> drawn(Model& model, std::uint64_t round);
  // Means of a term, of each mask.
  std::vector<double> means(PruneModel& model, Objective& on, const std::vector<ModelMask>& masks, bool errors) const;

  const PruneVerbConfig config_;
  const std::string utility_;
  const bool writes_;  // answers are written
  const std::uint64_t seed_;
  const std::string chat_template_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::int32_t> stop_tokens_;
  std::optional<PromptTask> prompts_;
  std::optional<SequenceTask> sequences_;
  Data train_, eval_, part_;
};

}  // namespace frugal
