// What the parts of the decoder share: shape, scratch, and the order in which weights are prepared. Private to nn/.
// Letters: B branches, N tokens of the batch, C hidden size, H query heads, K key heads, D head size, F feed-forward width.
#pragma once
#include <algorithm>
#include <vector>

#include "frugal/nn/decoder.h"
#include "frugal/nn/tensor_ids.h"

namespace frugal {

// A buffer of one row-block a branch; at(b) is branch b's.
struct BranchBuffer {
  Buffer memory;
  std::size_t stride = 0;  // bytes between branches
  void grow(int branches, std::size_t bytes) {
    stride = (bytes + 63) / 64 * 64;
    memory.grow(stride * static_cast<std::size_t>(branches));
  }
  template <class T>
  T* at(int branch, std::size_t element = 0) const {
    return reinterpret_cast<T*>(memory.data() + stride * static_cast<std::size_t>(branch)) + element;
  }
};

struct Decoder::State {
  State(const ModelShape& shape, Threads& threads, Compute compute);

  const ModelShape shape;
  const DecoderIds ids;
  Threads& threads;
  const Compute compute;
  std::vector<float> inverse_frequencies;  // [D / 2]

  Hidden hidden;
  BranchBuffer qkv, attended;              // [N, (H + 2K) D], [N, H D]
  BranchBuffer panels_qkv, panels_rest;    // one layer's weights: q k v; o, gate up, down
  BranchBuffer gains, biases;              // fp32: [2 C] norm gains of the layer; q k v o gate up down biases
  BranchBuffer block[2];                   // two blocks of rows of the head
  std::vector<Buffer> scratch;             // one a thread
  std::vector<float> cos, sin;             // [N, D / 2]

  void rotations(const std::vector<std::int32_t>& positions, std::int64_t first);
  template <class T>
  void forward_packed(const WeightView& view, const PackedBatch& batch, KvCache* cache);
  template <class T>
  void forward_narrow(const WeightStore& store, const PackedBatch& batch, KvCache* cache);
  template <class T>
  void log_sum_exps(const WeightView& view, std::span<const std::int64_t> rows, std::vector<double>& out);
  // The final norm of branch b's gain applied to `rows` of its hidden states.
  std::vector<float> final_gain(const WeightView& view);
};

// Tokens a work item takes: the largest of 512, 256, 128, 64 that makes at least four items, a function of the batch alone.
inline std::int64_t chunk_tokens(std::int64_t tokens, int branches) {
  for (const std::int64_t chunk : {512, 256, 128}) {
    if (branches * ((tokens + chunk - 1) / chunk) >= 4) return chunk;
  }
  return 64;
}

// A list of row ranges of tensors to be made for every branch, as work items of about 64k weights.
template <class T>
class Preparation {
 public:
  void add(const WeightView& view, std::size_t id, const BranchBuffer& to, std::size_t element, std::int64_t begin, std::int64_t end) {
    const std::int64_t cols = view.store().spec(id).cols, step = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / cols);
    for (std::int64_t row = begin; row < end; row += step) {
      items_.push_back({id, row, std::min(end, row + step), &to, element + static_cast<std::size_t>((row - begin) * cols)});
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(items_.size()); }
  void run(const WeightView& view, std::int64_t item) const {
    const Item& it = items_[static_cast<std::size_t>(item)];
    T* out[kMaxBranches];
    for (int b = 0; b < view.branches(); ++b) out[b] = it.to->template at<T>(b, it.element);
    view.rows(it.id, it.begin, it.end, out);
  }
  static constexpr int kMaxBranches = 8;

 private:
  struct Item {
    std::size_t id;
    std::int64_t begin, end;
    const BranchBuffer* to;
    std::size_t element;
  };
  std::vector<Item> items_;
};

}  // namespace frugal
