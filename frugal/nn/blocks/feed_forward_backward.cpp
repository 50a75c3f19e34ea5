#include "frugal/nn/blocks/feed_forward_backward.h"

namespace frugal {

template <class T>
FeedForwardBackward<T>::FeedForwardBackward(const BackwardCall<T>& call) : call_(call) {
  const LayerLayout& at = call.layer.at;
  if (!at.has_feed_forward()) return;
  call.back.dout.grow(call.bytes(at.C));
  if (call.wants(kDown)) call.back.activated.grow(call.bytes(at.F));
  if (wants_input()) call.back.normed_middle.grow(call.bytes(at.C));
}

template <class T>
void FeedForwardBackward<T>::run(const Rows& r) const {
  const LayerCall<T>& layer = call_.layer;
  const LayerLayout& at = layer.at;
  const PairsBackward<T>& pairs = call_.pairs;
  const std::int64_t C = at.C, F = at.F, begin = r.begin, rows = r.count;
  Buffer& mine = layer.work.scratch[static_cast<std::size_t>(r.thread)];
  mine.grow(static_cast<std::size_t>(layer.chunk() * (F + C)) * sizeof(T));
  T *dproduct = mine.as<T>(), *dx = dproduct + layer.chunk() * F;
  T* dy = call_.back.dout.template as<T>() + begin * C;
  T* gate = layer.tape->gate_up.template as<T>() + begin * 2 * F;
  const Buffer& input = at.has_attention() ? layer.tape->middle : layer.tape->input;
  const float* middle = input.as<float>() + begin * C;
  float* dh = call_.dhidden(r);
  const NormBlock norm = layer.norm(0, 1);
  const T *panel = layer.work.panels_rest.template at<T>(0, at.gate_at()), *down = panel + 2 * F * C;
  PairScratch& beside = layer.pair_scratch(r);
  const auto of = [&](Slot slot) { return panel + at.column(slot) * C; };
  convert(dh, dy, rows * C);
  T* activated = call_.wants(kDown) ? call_.back.activated.template as<T>() + begin * F : nullptr;
  if (layer.pairs.pair(kDown).factor != nullptr) {  // the magnitude's gradient reads it before silu's backward makes it
    for (std::int64_t row = 0; row < rows; ++row) {
      std::copy_n(gate + row * 2 * F, F, activated + row * F);
      kernels::silu_mul(activated + row * F, gate + row * 2 * F + F, static_cast<std::size_t>(F));
    }
  }
  pairs.magnitude(kDown, down, dy, activated, F, begin, rows, beside);
  linear_input_gradient(dy, down, dproduct, {rows, F, C, F, C});
  pairs.input_gradient(kDown, down, dy, dproduct, F, begin, rows, beside);
  for (std::int64_t row = 0; row < rows; ++row) {
    kernels::silu_mul_backward(gate + row * 2 * F, gate + row * 2 * F + F, dproduct + row * F,
                               activated == nullptr ? nullptr : activated + row * F, static_cast<std::size_t>(F));
  }
  pairs.inner(kDown, activated, F, begin, rows);
  if (wants_input()) {
    T* x = call_.back.normed_middle.template as<T>() + begin * C;
    norm.forward(middle, x, rows);
    for (const Slot slot : {kGate, kUp}) {
      pairs.magnitude(slot, of(slot), gate, x, C, begin, rows, beside);
      pairs.inner(slot, x, C, begin, rows);
    }
  }
  linear_input_gradient(gate, panel, dx, {rows, C, 2 * F, C, 2 * F});
  for (const Slot slot : {kGate, kUp}) pairs.input_gradient(slot, of(slot), gate, dx, C, begin, rows, beside);
  norm.backward(middle, dx, dh, call_.gain_share(gain(), r, 1), rows);
}

template <class T>
void FeedForwardBackward<T>::add_gradients(WeightGradients<T>& work) const {
  if (!call_.layer.at.has_feed_forward()) return;
  const BackwardState& back = call_.back;
  call_.add_gradients(kDown, back.dout.as<T>(), back.activated.as<T>(), work);
  for (const Slot slot : {kGate, kUp})
    call_.add_gradients(slot, call_.layer.tape->gate_up.template as<T>(), back.normed_middle.as<T>(), work);
}

template <class T>
void FeedForwardBackward<T>::add_gain() const {
  call_.add_gain_shares(gain(), 1);
}

template class FeedForwardBackward<float>;
template class FeedForwardBackward<kernels::Bf16>;

}  // namespace frugal
