// Classification by label words after a prompt: scores, losses and predictions for every branch of a view.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "frugal/data/prompt_task.h"
#include "frugal/nn/decoder.h"

namespace frugal {

class LabelObjective {
 public:
  // options: the tokens of each label word, none empty, at least two. max_tokens: packed tokens of one forward.
  LabelObjective(Decoder& decoder, std::vector<std::vector<std::int32_t>> options, std::int64_t max_tokens = 2048);

  struct Result {  // [branch * examples + i]
    std::vector<double> losses;          // nats: cross-entropy over the options' scores
    std::vector<std::int64_t> predicted; // option with the highest score; ties go to the first
  };
  // The score of an option is the mean log-probability of its tokens after the prompt. When every option is one token only
  // those rows of the head are made, since the normaliser cancels; else the prompt runs once and each option branches from it.
  Result score(const WeightView& view, std::span<const Example* const> examples);

 private:
  std::vector<double> option_scores(const WeightView& view, std::span<const Example* const> examples);
  Decoder& decoder_;
  std::vector<std::vector<std::int32_t>> options_;
  std::int64_t max_tokens_;
  bool single_ = true;
};

}  // namespace frugal
