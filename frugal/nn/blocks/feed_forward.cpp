#include "frugal/nn/blocks/feed_forward.h"

namespace frugal {

template <class T>
FeedForwardBlock<T>::FeedForwardBlock(const LayerCall<T>& call) : call_(call) {
  if (!call.keeps() || !call.at.has_feed_forward()) return;
  const auto n = static_cast<std::size_t>(call.tokens());
  if (call.at.has_attention()) call.tape->middle.grow(n * static_cast<std::size_t>(call.at.C) * sizeof(float));
  call.tape->gate_up.grow(n * static_cast<std::size_t>(call.at.feed_forward.taped()) * sizeof(T));
}

template <class T>
void FeedForwardBlock<T>::run(const Rows& r, std::int64_t part) const {
  const LayerLayout& at = call_.at;
  const FfnBlocks& blocks = call_.blocks;
  const bool keeps = call_.keeps();
  const std::int64_t C = at.C, rows = r.count, chunk = call_.chunk(),
                     F = std::min(at.F, (part + 1) * blocks.width) - part * blocks.width;
  T *y = call_.scratch(r), *wide = y + 2 * chunk * C;
  // What the parts read outlives one of them, in place of what attention's projection has read.
  T* x = blocks.count > 1 ? call_.attended(r.branch, r.begin) : y + chunk * C;
  T* gate = keeps ? call_.tape->gate_up.template as<T>() + r.begin * 2 * F : wide;  // [rows, 2F]: gate, up
  const T* panel = call_.work.panels_rest.template at<T>(r.branch) + at.gate_at();
  PairScratch& beside = call_.pair_scratch(r);
  float* h = call_.hidden(r);
  if (part == 0) {
    if (keeps && at.has_attention()) {
      std::memcpy(call_.tape->middle.template as<float>() + r.begin * C, h,
                  static_cast<std::size_t>(rows * C) * sizeof(float));
    }
    call_.norm(r.branch, 1).forward(h, x, rows);
  }
  linear(x, panel, gate, {rows, C, 2 * F, C, 2 * F});
  for (const Slot slot : {kGate, kUp})
    call_.pairs.add(slot, r.branch, at, panel + at.column(slot) * C, x, C, gate, r.begin, rows, beside);
  call_.add_bias(kGate, r, gate, 2 * F);
  if (call_.recording == Recording::again) return;
  T* activated = keeps ? wide : gate;  // a kept gate is not overwritten
  const std::int64_t stride = keeps ? F : 2 * F;
  const UnitMask* mask = call_.view.mask(call_.layer, r.branch);
  for (std::int64_t row = 0; row < rows; ++row) {
    T* to = activated + row * stride;
    if (keeps) std::memcpy(to, gate + row * 2 * F, static_cast<std::size_t>(F) * sizeof(T));
    kernels::silu_mul(to, gate + row * 2 * F + F, static_cast<std::size_t>(F));
    if (mask == nullptr) continue;
    for (const std::int32_t neuron : mask->neurons) to[neuron] = T{};
  }
  if (UnitObserver* observer = call_.view.observer())
    observer->activated(call_.layer, r.begin, rows, activated, stride);
  const T* down = panel + 2 * F * C;
  linear(activated, down, y, {rows, F, C, stride, C});
  call_.pairs.add(kDown, r.branch, at, down, activated, stride, y, r.begin, rows, beside);
  call_.add_bias(kDown, r, y, C);
  kernels::add(h, y, static_cast<std::size_t>(rows * C));
}

template class FeedForwardBlock<float>;
template class FeedForwardBlock<kernels::Bf16>;

}  // namespace frugal
