// The low-rank pairs of one layer, ready for products. Private to nn/.
#pragma once
#include <array>
#include <vector>

#include "frugal/nn/blocks/layer_layout.h"

namespace frugal {

// y[rows, cols] <- y factor[j] in column j; rows `stride` apart.
template <class T>
void scale_columns(T* y, std::int64_t rows, std::int64_t cols, std::int64_t stride, const float* factor);

// Pairs in the type the decoder computes in: y += x a^T b_scaled^T; b_scaled and a_scaled hold the scale. Rows are rows
// of the batch, from `first` on; w [out, in] is the linear's own weight; scratch is that of a thread.
template <class T>
class LayerPairs {
 public:
  struct Pair {
    std::int64_t rank = 0;
    std::size_t id = 0;
    const T *a = nullptr, *a_scaled = nullptr, *b_scaled = nullptr;  // a_scaled: null in a forward
    const float *factor = nullptr, *inverse_norm = nullptr;  // [out]: magnitude / |W'| and 1 / |W'|; null: no magnitude
  };
  struct Rows {
    const T* data;
    std::int64_t stride;
  };
  // part: of the step; draws another dropout. Only a backward reads a_scaled.
  enum class For { forward, backward };
  LayerPairs(const WeightView& view, const LayerIds& ids, const LayerLayout& at, Threads& threads, std::uint32_t part,
             For purpose);
  const Pair& pair(Slot slot, int branch = 0) const { return pairs_[static_cast<std::size_t>(branch)][slot]; }
  bool has_dropout() const { return dropout_.p > 0; }

  // x with dropout as the pair of `slot` sees it, written to `to`; x itself when there is none.
  Rows dropped(Slot slot, const T* x, std::int64_t stride, std::int64_t first, std::int64_t rows, std::int64_t in,
               T* to) const;
  // The same mask over a gradient, in place.
  void drop_gradient(Slot slot, T* dx, std::int64_t first, std::int64_t rows, std::int64_t in) const;
  // y, rows as wide as the slot shares them, holds x w^T in the slot's columns and takes in what the pair makes of it.
  void add(Slot slot, int branch, const LayerLayout& at, const T* w, const T* x, std::int64_t x_stride, T* y,
           std::int64_t first, std::int64_t rows, PairScratch& scratch) const;

 private:
  std::vector<std::array<Pair, kSlots>> pairs_;  // by branch
  Dropout dropout_;
  Buffer memory_, lengths_;  // factors; what DoRA has of each row
};

}  // namespace frugal
