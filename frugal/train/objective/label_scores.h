// Classification by label words after a prompt: scores, losses and predictions for every branch of a view.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "frugal/data/prompt_task.h"
#include "frugal/nn/model/model.h"
#include "frugal/plan/cuts.h"

namespace frugal {

class LabelScores {
 public:
  // options: the tokens of each label word, none empty, at least two. max_tokens: packed tokens of one forward, those
  // of the options included.
  LabelScores(Model& model, std::vector<std::vector<std::int32_t>> options, std::int64_t max_tokens = kPackedTokens);

  struct Result {                         // [branch * examples + i]
    std::vector<double> losses;           // nats: cross-entropy over the options' scores
    std::vector<std::int64_t> predicted;  // option with the highest score; ties go to the first
  };
  // The score of an option is the mean log-probability of its tokens after the prompt. When every option is one token
  // only those rows of the head are made, since the normaliser cancels; else the prompt runs once and each option
  // branches from it.
  Result score(const WeightView& view, std::span<const Example* const> examples);
  // The sum of the losses of one branch, and to `gradients` the gradient of scale times it; see Objective.
  double loss_and_gradients(const WeightView& view, std::span<const Example* const> examples, double scale, bool keeps,
                            Gradients& gradients);
  // Examples from `begin` on that go through one forward together, at least one.
  std::size_t part(std::span<const Example* const> examples, std::size_t begin) const;

 private:
  struct Part {  // of one forward
    PackedBatch batch;
    std::vector<std::int64_t> last;    // row after which an example's options are scored
    std::vector<Pass::Query> queries;  // of options of several tokens
  };
  Part pack(std::span<const Example* const> examples) const;
  std::vector<double> option_scores(Pass& pass, const Part& part) const;  // [branch][example][option]
  // Loss of one row of scores; probabilities: softmax of the scores.
  double loss_of(std::span<const double> scores, std::int32_t label, std::vector<double>& probabilities) const;
  std::vector<std::int32_t> words() const;  // the options' first tokens
  Model& model_;
  std::vector<std::vector<std::int32_t>> options_;
  std::int64_t max_tokens_;
  std::int64_t branched_ = 0;  // tokens of an example behind its prompt, of all options
  bool single_ = true;
};

}  // namespace frugal
