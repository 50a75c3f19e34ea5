// The backward of the low-rank pairs of one layer. Private to nn/.
#pragma once
#include "frugal/nn/blocks/backward_state.h"

namespace frugal {

// Rows [first, first + rows) of the batch: dy (as wide as the slot shares its rows), the slot's input x and its
// gradient dx; w [out, in] is the linear's own weight. A linear's order: magnitude, the product dx = dy w over all
// slots that share x, input_gradient; inner at any time. All but the constructor, add_gradients and add_magnitudes are
// called from several threads.
template <class T>
class PairsBackward {
 public:
  // chunk: rows of the calls' parts. Grows what `back` holds for the layer's pairs.
  PairsBackward(const LayerPairs<T>& low_rank, const LayerLayout& at, BackwardState& back, Gradients& gradients,
                std::int64_t tokens, std::int64_t chunk);

  // DoRA: this part's share of the magnitude's gradient, sum over tokens of dy (d W'^T) / |W'|. Without dropout y is
  // g (x W'^T): dy becomes the gradient g dy of what g scales.
  void magnitude(Slot slot, const T* w, T* dy, const T* x, std::int64_t x_stride, std::int64_t first, std::int64_t rows,
                 PairScratch& scratch) const;
  // du <- dy b, scaled, and dx (null: not wanted) += du a. DoRA with dropout: dx += the dropped input's part of
  // ((g - 1) dy) w, too, and dy becomes g dy.
  void input_gradient(Slot slot, const T* w, T* dy, T* dx, std::int64_t dx_stride, std::int64_t first,
                      std::int64_t rows, PairScratch& scratch) const;
  // u <- x a^T, scaled; keeps x as dropout left it.
  void inner(Slot slot, const T* x, std::int64_t stride, std::int64_t first, std::int64_t rows) const;

  // The factors' gradients, db = dy^T u, da = du^T dropout(x), from the whole batch's dy and x [tokens, in].
  void add_gradients(Slot slot, const T* dy, const T* x, WeightGradients<T>& work) const;
  void add_magnitudes() const;  // the parts' shares, in order

 private:
  const LayerPairs<T>& low_rank_;
  const LayerLayout& at_;
  BackwardState& back_;
  std::array<PairSum, kSlots> sums_;
  std::int64_t tokens_, chunk_;
};

}  // namespace frugal
