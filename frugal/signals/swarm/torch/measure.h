// How well a classifier tells tactics.
#pragma once
#include <array>

#include "frugal/base/json.h"
#include "frugal/signals/swarm/simulator.h"
#include "frugal/signals/swarm/torch/classifier.h"

namespace frugal::swarm {

struct Answers {
  torch::Tensor predicted;      // [R] or [R, W] int64
  torch::Tensor probabilities;  // [R, 4] or [R, W, 4]
  torch::Tensor attributes;     // [R, 2] or [R, W, 2]: probabilities of (communicates, leads); undefined of mc
  double loss = 0;              // mean; NaN without labels
};

// In evaluation mode, without a graph, in pieces of 512. labels: [R] int64, or undefined.
Answers answer(tsc::Classifier& classifier, const torch::Tensor& x, const torch::Tensor& labels);

// A sequence is judged by its last step, when the whole window has been seen.
struct Measured {
  std::int64_t runs = 0;
  double loss = 0, accuracy = 0;
  double communicates = 0, leads = 0;  // accuracy of the attributes that the predicted tactic has
  double attribute_heads = -1;         // share of runs whose attribute heads are both right; -1: there are none
  double agreement = -1;               // share of runs where class head and attribute heads say the same; -1: not both
  std::array<std::array<std::int64_t, kTactics>, kTactics> confusion{};  // [true][predicted]
  std::vector<double> by_step = {};  // accuracy after 1, 2, ... steps; of a sequence

  Json json() const;
};
// Accuracies of a Measured's Json, a line each, with what chance would reach; they end with a line feed.
std::string scores_text(const Json& measured);
Measured measure(const Answers& answers, const torch::Tensor& labels, bool has_both_heads);

}  // namespace frugal::swarm
