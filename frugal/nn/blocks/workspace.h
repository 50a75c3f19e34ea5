// What blocks share: a layer's weights made ready for products, scratch, and the order in which they are made.
// Private to nn/.
// Letters: B branches, N tokens of the batch, C hidden size, H query heads, K key heads, D head size, F feed-forward
// width, T the type of the products.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/buffer.h"
#include "frugal/core/products.h"
#include "frugal/nn/model/weight_view.h"

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

// Scratch of one layer's call at a time.
struct Workspace {
  explicit Workspace(Threads& threads_);
  ~Workspace();

  Threads& threads;
  BranchBuffer qkv, attended;            // [N, (H + 2K) D], [N, H D]
  BranchBuffer panels_qkv, panels_rest;  // one layer's weights: q k v; o, gate up, down; of the head two blocks of rows
  BranchBuffer gains, biases;            // fp32: [2 C] norm gains of the layer; q k v o gate up down biases
  std::vector<Buffer> scratch;           // one a thread
  std::vector<PairScratch> pair_scratch;  // of a thread
  std::unique_ptr<BackwardState> back;    // made by the first backward
};

}  // namespace frugal
