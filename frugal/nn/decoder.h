// The forward pass of a llama-family decoder: layers outside, chunks of tokens inside.
// Per layer the weights of all branches are made once in scratch by all threads; then items (branch x chunk of tokens,
// in attention branch x sequence, of long ones by heads) go through it from a queue, each on one thread. Chunks depend
// on the batch alone, so results do not depend on the number of threads.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/products.h"
#include "frugal/nn/gradients.h"
#include "frugal/nn/packed_batch.h"
#include "frugal/nn/tape.h"
#include "frugal/nn/weight_view.h"

namespace frugal {

// Keys and values of one sequence, [layer][token, kv_heads * head_dim] in fp32 or bf16 as the decoder computes.
class KvCache {
 public:
  KvCache(const ModelShape& shape, std::int64_t capacity, Compute compute);
  std::int64_t length = 0;
  std::int64_t capacity() const { return capacity_; }
  template <class T>
  T* keys(std::size_t layer) {
    return memory_.as<T>() + offsets_[layer];
  }
  template <class T>
  T* values(std::size_t layer) {
    return keys<T>(layer) + capacity_ * widths_[layer];
  }
  std::int64_t width(std::size_t layer) const { return widths_[layer]; }
  KvCache copy() const;  // of what it holds, with the same capacity

 private:
  KvCache() = default;
  std::int64_t capacity_ = 0;
  std::vector<std::int64_t> widths_;
  std::vector<std::size_t> offsets_;  // elements
  std::size_t element_ = 0;           // bytes
  Buffer memory_;
};

// Hidden states before the final norm: [branch][tokens, hidden] fp32.
struct Hidden {
  int branches = 0;
  std::int64_t tokens = 0, width = 0;
  float* at(int branch, std::int64_t token = 0) const { return memory.as<float>() + (branch * tokens + token) * width; }
  Buffer memory;
};

class Decoder {
 public:
  // threads: started with single_threaded_torch.
  Decoder(const ModelShape& shape, Threads& threads, Compute compute);
  ~Decoder();

  const ModelShape& shape() const;
  Compute compute() const;
  Threads& threads() const;

  // Runs every layer. The result stays valid until the next call. caches (none, or one branch and one cache a segment,
  // no parents, no more than their capacities): each takes in its segment's keys and values, and the segment goes on
  // after what it holds. tape (one branch, no cache): takes what backward needs. Error(Exit::input): a token id outside
  // the vocabulary.
  const Hidden& forward(const WeightView& view, const PackedBatch& batch, std::span<KvCache* const> caches,
                        Tape* tape = nullptr);
  const Hidden& forward(const WeightView& view, const PackedBatch& batch, KvCache* cache = nullptr,
                        Tape* tape = nullptr);

  // ---- heads, on rows of the hidden states of the last forward ----
  // Log-probability of `target` after the token at `row`, for each query: out[branch * queries + i]. Runs through the
  // vocabulary in blocks with an online log-sum-exp; nothing of size tokens x vocabulary exists.
  struct Query {
    std::int64_t row;
    std::int32_t target;
  };
  std::vector<double> log_probabilities(const WeightView& view, std::span<const Query> queries);
  // Logits of the candidate tokens after each row: out[(branch * rows + i) * candidates + c]. Only their rows of the
  // head are made.
  std::vector<float> candidate_logits(const WeightView& view, std::span<const std::int64_t> rows,
                                      std::span<const std::int32_t> candidates);
  // All logits after each row of branch 0, [rows, vocab]. Reads the head's weights once.
  std::vector<float> logits(const WeightView& view, std::span<const std::int64_t> rows);
  std::vector<float> logits(const WeightView& view, std::int64_t row) { return logits(view, std::span(&row, 1)); }
  // The token with the highest logit after each row of branch 0; ties go to the lower id. Reads the head's weights
  // once.
  std::vector<std::int32_t> likeliest(const WeightView& view, std::span<const std::int64_t> rows);

  // ---- backward, of one branch, after a forward with a tape: one or more heads, then the layers, once ----
  // The loss has -weights[i] * log_probability[i] as its terms: the gradient of -sum_i w_i log p(query i) joins that of
  // the hidden states, and that of the head's weights goes to `gradients`. After log_probabilities of queries at the
  // same rows only the head's own weights take another pass over the vocabulary.
  void backward_log_probabilities(const WeightView& view, std::span<const Query> queries,
                                  std::span<const double> weights, Gradients& gradients);
  // The same from the gradients of candidate_logits [rows * candidates].
  void backward_candidates(const WeightView& view, std::span<const std::int64_t> rows,
                           std::span<const std::int32_t> candidates, std::span<const float> gradient,
                           Gradients& gradients);
  // Layers from the last to gradients.lowest_layer(), one at a time; no graph. The tape is used up.
  void backward(const WeightView& view, const PackedBatch& batch, Tape& tape, Gradients& gradients);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace frugal
