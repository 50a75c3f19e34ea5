// What the parts of the decoder share: shape, scratch, and the order in which weights are prepared. Private to nn/.
// Letters: B branches, N tokens of the batch, C hidden size, H query heads, K key heads, D head size, F feed-forward
// width.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "frugal/nn/decoder.h"
#include "frugal/nn/gradients.h"
#include "frugal/nn/tape.h"
#include "frugal/nn/tensor_ids.h"
#include "frugal/plan/cuts.h"

namespace frugal {

// A buffer of one row-block a branch, or one for all where they share it; at(b) is branch b's.
struct BranchBuffer {
  Buffer memory;
  std::size_t stride = 0;  // bytes between branches
  void grow(int branches, std::size_t bytes, bool is_shared = false) {
    const std::size_t block = (bytes + 63) / 64 * 64;
    stride = is_shared ? 0 : block;
    memory.grow(block * static_cast<std::size_t>(is_shared ? 1 : branches));
  }
  template <class T>
  T* at(int branch, std::size_t element = 0) const {
    return reinterpret_cast<T*>(memory.data() + stride * static_cast<std::size_t>(branch)) + element;
  }
};

// A list of row ranges of tensors to be made for every branch, as work items of about 64k weights.
template <class T>
class Preparation {
 public:
  // first, last: the columns that are wanted; last 0: all.
  void add(const WeightView& view, std::size_t id, const BranchBuffer& to, std::size_t element, std::int64_t begin,
           std::int64_t end, std::int64_t first = 0, std::int64_t last = 0) {
    const std::int64_t cols = last > 0 ? last - first : view.store().spec(id).cols,
                       step = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / cols);
    for (std::int64_t row = begin; row < end; row += step) {
      items_.push_back({id, row, std::min(end, row + step), &to,
                        element + static_cast<std::size_t>((row - begin) * cols), first, last});
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(items_.size()); }
  void run(const WeightView& view, std::int64_t item) const {
    const Item& it = items_[static_cast<std::size_t>(item)];
    T* out[kMaxBranches];
    for (int b = 0; b < view.branches(); ++b) out[b] = it.to->template at<T>(b, it.element);
    if (it.last > 0)
      view.columns(it.id, it.begin, it.end, it.first, it.last, out);
    else
      view.rows(it.id, it.begin, it.end, out);
  }
  static constexpr int kMaxBranches = 8;

 private:
  struct Item {
    std::size_t id;
    std::int64_t begin, end;
    const BranchBuffer* to;
    std::size_t element;
    std::int64_t first, last;
  };
  std::vector<Item> items_;
};

inline void convert(const float* from, float* to, std::int64_t n) { std::copy_n(from, n, to); }
inline void convert(const kernels::Bf16* from, kernels::Bf16* to, std::int64_t n) { std::copy_n(from, n, to); }
inline void convert(const float* from, kernels::Bf16* to, std::int64_t n) {
  kernels::to_bf16(from, to, static_cast<std::size_t>(n));
}
inline void convert(const kernels::Bf16* from, float* to, std::int64_t n) {
  kernels::to_float(from, to, static_cast<std::size_t>(n));
}

struct PairScratch {  // what a low-rank pair read, what lies between its factors, and what DoRA needs beside the output
  Buffer dropped, inner, outer;
};

struct BackwardState;
struct LayerLayout;

// What the head's forward leaves for its backward.
struct HeadTape {
  std::vector<std::int64_t> rows;  // distinct and rising; empty: no head has run since the forward
  std::vector<double> sums;        // [rows] log-sum-exp of the logits
  Buffer expected;                 // [rows, C] fp32: the mean of the head's rows under the softmax of the logits
};

// What a pass holds from its forward to its backward.
struct PassMemory {
  Hidden hidden;
  std::vector<float> cos, sin;  // [N, D / 2] of the batch's positions
  bool is_recorded = false;     // log_probabilities prepares for a backward, too
  Tape tape;
  HeadTape head_tape;
  Buffer dhidden;                   // [N, C] fp32: of the layer's output, in place that of its input
  std::int64_t dhidden_tokens = 0;  // N of it; 0: no head's backward has run
};

template <class T>
class LayerPairs;
template <class T>
class WeightGradients;

struct DecoderState {
  DecoderState(const ModelShape& shape, Threads& threads, Compute compute);
  ~DecoderState();

  const ModelShape shape;
  const DecoderIds ids;
  Threads& threads;
  const Compute compute;
  std::vector<float> inverse_frequencies;  // [D / 2]

  // Memory of passes that have ended, for those to come: as a rule one, which lives on from step to step.
  std::vector<std::unique_ptr<PassMemory>> resting;
  std::unique_ptr<PassMemory> take_memory();

  // Scratch of one call.
  BranchBuffer qkv, attended;            // [N, (H + 2K) D], [N, H D]
  BranchBuffer panels_qkv, panels_rest;  // one layer's weights: q k v; o, gate up, down; of the head two blocks of rows
  BranchBuffer gains, biases;            // fp32: [2 C] norm gains of the layer; q k v o gate up down biases
  std::vector<Buffer> scratch;           // one a thread
  std::vector<PairScratch> pair_scratch;  // of a thread

  void rotations(PassMemory& pass, const std::vector<std::int32_t>& positions) const;
  template <class T>
  void reserve(PassMemory& pass, const WeightView& view, std::int64_t tokens, bool is_recorded);
  template <class T>
  void forward_packed(PassMemory& pass, const WeightView& view, const PackedBatch& batch,
                      std::span<KvCache* const> caches, Tape* tape);
  // What forward_layer leaves on a tape: nothing; the input; all; all but the input, which is read from the tape
  // instead.
  enum class Recording { none, input, all, again };
  template <class T>
  void forward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                     std::span<KvCache* const> caches, LayerTape* tape, Recording recording,
                     const LayerPairs<T>& low_rank, const Preparation<T>& next);
  template <class T>
  void forward_narrow(PassMemory& pass, const WeightStore& store, const PackedBatch& batch,
                      std::span<KvCache* const> caches);
  // expected [rows, C] fp32 (one branch; null: not wanted): see HeadTape.
  template <class T>
  void log_sum_exps(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                    std::vector<double>& out, float* expected);
  // Fills the pass's head_tape.
  void record_head(PassMemory& pass, const WeightView& view, const std::vector<std::int64_t>& rows);
  // Backward: see decoder_backward.cpp and head_backward.cpp.
  std::unique_ptr<BackwardState> back;
  template <class T>
  void backward_layer(PassMemory& pass, const WeightView& view, const PackedBatch& batch, std::size_t l,
                      LayerTape& tape, bool is_recorded, std::uint32_t part, Gradients& gradients);
  template <class T, class E>  // E: what is multiplied in
  void backward_attention(const PackedBatch& batch, const LayerLayout& at, const LayerTape& tape, std::int64_t root,
                          std::int64_t part, std::int64_t parts, int thread);
  // Zeroes the pass's dhidden unless a head's backward has run.
  void start_backward(PassMemory& pass, const WeightView& view);
  // Block `index` of the head's rows, to be made where head_panel(b, index) is; nothing behind the last. Takes the
  // place of the layers' weights.
  template <class T>
  Preparation<T> head_block(const WeightView& view, std::int64_t index) {
    panels_rest.grow(view.branches(), 2 * block_elements() * sizeof(T), view.shares_weights());
    Preparation<T> work;
    const std::int64_t begin = index * kVocabularyBlock;
    if (begin < shape.vocab)
      work.add(view, ids.head, panels_rest, static_cast<std::size_t>(index % 2) * block_elements(), begin,
               std::min(shape.vocab, begin + kVocabularyBlock));
    return work;
  }
  std::size_t block_elements() const { return static_cast<std::size_t>(kVocabularyBlock * shape.hidden); }
  template <class T>
  T* head_panel(int branch, std::int64_t index) const {
    return panels_rest.at<T>(branch, static_cast<std::size_t>(index % 2) * block_elements());
  }
  void backward_final_norm(PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows,
                           const float* dnormed, Gradients& gradients);
  template <class T>
  void backward_head_weights(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                             std::span<const double> weights, const GradientSum& head);
  void backward_head(PassMemory& pass, const WeightView& view, std::span<const Pass::Query> queries,
                     std::span<const double> weights, Gradients& gradients);

  // The final norm of branch b's gain applied to `rows` of its hidden states.
  std::vector<float> final_gain(const WeightView& view);
  // Branch 0's `rows` after the final norm, [rows, C].
  std::vector<float> final_rows(const PassMemory& pass, const WeightView& view, std::span<const std::int64_t> rows);
  // Logits of n such rows x for the words [begin, end): row i at out + i * stride. Any thread may call it.
  void word_logits(const WeightView& view, const float* x, std::int64_t n, std::int64_t begin, std::int64_t end,
                   float* out, std::size_t stride) const;
};

std::vector<std::int64_t> distinct_rows(std::span<const Pass::Query> queries);  // rising

}  // namespace frugal
