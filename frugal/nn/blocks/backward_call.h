// The backward of one layer: what the backwards of its blocks share. d. is the loss's gradient by what it stands
// before. Private to nn/.
#pragma once
#include "frugal/nn/blocks/layer_call.h"
#include "frugal/nn/blocks/pairs_backward.h"

namespace frugal {

template <class T>
struct BackwardCall {
  const LayerCall<T>& layer;
  BackwardState& back;
  const PairsBackward<T>& pairs;
  Gradients& gradients;

  // The gradient of the slot's weight, or of its pair, is wanted.
  bool wants(Slot slot) const { return sum(layer.id[slot].weight).is_wanted() || layer.pairs.pair(slot).rank > 0; }
  GradientSum sum(std::size_t id) const { return id == kNoTensor ? GradientSum{} : gradients.of(id); }
  float* dhidden(const Rows& r) const { return layer.pass.dhidden.template as<float>() + r.begin * layer.at.C; }
  // Where the rows' share of a norm's gain goes; null: it is not wanted. which: 0 before attention, 1 before the
  // feed-forward.
  float* gain_share(const GradientSum& gain, const Rows& r, int which) const {
    return gain.sum == nullptr ? nullptr : back.dgains.as<float>() + (r.begin / layer.chunk() * 2 + which) * layer.at.C;
  }
  void add_gain_shares(const GradientSum& gain, int which) const {
    if (gain.sum == nullptr) return;
    for (std::int64_t begin = 0; begin < layer.tokens(); begin += layer.chunk())
      kernels::add(gain.sum, gain_share(gain, {0, begin, 0, 0}, which), static_cast<std::size_t>(layer.at.C));
  }
  // Work items of dW = dy^T x of a linear, db = sums of dy, and of its pair.
  void add_gradients(Slot slot, const T* dy, const T* x, WeightGradients<T>& work) const {
    const LayerLayout& at = layer.at;
    const LinearIds& id = layer.id[slot];
    work.add(gradients.of(id.weight), dy + at.column(slot), at.row_width(slot), x, at.in(slot), layer.tokens(),
             at.out(slot), at.in(slot));
    if (id.bias != kNoTensor)
      work.add_bias(gradients.of(id.bias).sum, dy + at.column(slot), at.row_width(slot), layer.tokens(), at.out(slot));
    pairs.add_gradients(slot, dy, x, work);
  }
  std::size_t bytes(std::int64_t width) const { return static_cast<std::size_t>(layer.tokens() * width) * sizeof(T); }
};

}  // namespace frugal
