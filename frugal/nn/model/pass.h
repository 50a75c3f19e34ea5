// One forward through a model and what it leaves: hidden states, on which heads run, and with a record of what a
// backward needs, that backward.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/nn/model/gradients.h"
#include "frugal/nn/model/tape.h"

namespace frugal {

// Hidden states before the final norm: [branch][tokens, hidden] fp32.
struct Hidden {
  int branches = 0;
  std::int64_t tokens = 0, width = 0;
  float* at(int branch, std::int64_t token = 0) const { return memory.as<float>() + (branch * tokens + token) * width; }
  Buffer memory;
};

// Of each row k words, [rows, k]: the likeliest first, ties the lower word first.
struct LikelyWords {
  std::int64_t k = 0;
  std::vector<std::int32_t> words;
  std::vector<float> log_p;
};

// Made by Model::forward, with the view and the batch that it was made with: both outlive it, and the model does.
// Passes are independent of each other; their memory goes back to the model, for the next one.
class Pass {
 public:
  virtual ~Pass() = default;
  virtual const Hidden& hidden() const = 0;

  // ---- heads, on rows of the hidden states ----
  // Log-probability of `target` after the token at `row`, for each query: out[branch * queries + i]. Runs through the
  // vocabulary in blocks with an online log-sum-exp; nothing of size tokens x vocabulary exists.
  struct Query {
    std::int64_t row;
    std::int32_t target;
  };
  virtual std::vector<double> log_probabilities(std::span<const Query> queries) = 0;
  // Logits of the candidate tokens after each row: out[(branch * rows + i) * candidates + c]. Only their rows of the
  // head are made.
  virtual std::vector<float> candidate_logits(std::span<const std::int64_t> rows,
                                              std::span<const std::int32_t> candidates) = 0;
  // All logits after each row of branch 0, [rows, vocab]. Reads the head's weights once.
  virtual std::vector<float> logits(std::span<const std::int64_t> rows) = 0;
  std::vector<float> logits(std::int64_t row) { return logits(std::span(&row, 1)); }
  // The token with the highest logit after each row of branch 0; ties go to the lower id. Reads the head's weights
  // once.
  virtual std::vector<std::int32_t> likeliest(std::span<const std::int64_t> rows) = 0;
  // The k words with the highest logits after each row of branch 0, and their log-probabilities. Reads the head's
  // weights once. Error(Exit::internal): k is not from 1 to the size of the vocabulary.
  virtual LikelyWords likeliest_words(std::span<const std::int64_t> rows, std::int64_t k) = 0;
};

// Called by a backward with the output of a layer, [N, C] fp32, and its gradient so far, which it may add to.
using HiddenLoss = std::function<void(std::size_t layer, const float* h, float* dh)>;

// A pass of one branch with a tape: any heads, the gradients of one or more of them, then once the layers'.
class RecordedPass : public Pass {
 public:
  // The loss has -weights[i] * log_probability[i] as its terms: the gradient of -sum_i w_i log p(query i) joins that of
  // the hidden states, and that of the head's weights goes to `gradients`. After log_probabilities of queries at the
  // same rows only the head's own weights take another pass over the vocabulary.
  virtual void backward_log_probabilities(std::span<const Query> queries, std::span<const double> weights,
                                          Gradients& gradients) = 0;
  // The same from the gradients of candidate_logits [rows * candidates].
  virtual void backward_candidates(std::span<const std::int64_t> rows, std::span<const std::int32_t> candidates,
                                   std::span<const float> gradient, Gradients& gradients) = 0;
  // Layers from the last to gradients.lowest_layer(), one at a time; no graph. It uses up what the pass holds: nothing
  // is called on it afterwards. hidden: a loss on the outputs of these layers, from the last to the lowest.
  // Error(Exit::internal): no head's gradient came before it.
  virtual void backward(Gradients& gradients, const HiddenLoss& hidden = {}) = 0;
  virtual Tape& tape() = 0;  // what the forward left of each layer
};

}  // namespace frugal
