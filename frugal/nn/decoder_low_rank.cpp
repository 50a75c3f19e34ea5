#include <type_traits>

#include "frugal/core/kernels/backward.h"
#include "frugal/nn/decoder_layer.h"

namespace frugal {

template <class T>
LowRankLayer<T>::LowRankLayer(const WeightView& view, const LayerIds& ids, const LayerLayout& at)
    : dropout_(view.low_rank_dropout()) {
  std::size_t total = 0;
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    const LowRankPair* pair = view.low_rank(ids[slot].weight);
    if (pair == nullptr) continue;
    pairs_[s].rank = pair->rank;
    pairs_[s].id = ids[slot].weight;
    total += static_cast<std::size_t>(pair->rank * (2 * at.in(slot) + at.out(slot)));
  }
  if (total == 0) return;
  memory_ = Buffer(total * sizeof(T));
  std::vector<float> scaled;
  T* to = memory_.as<T>();
  const auto copy = [&](const float* from, float scale, std::int64_t n) {
    scaled.assign(from, from + n);
    for (float& value : scaled) value *= scale;
    convert(scaled.data(), to, n);
    return std::exchange(to, to + n);
  };
  for (std::size_t s = 0; s < kSlots; ++s) {
    if (pairs_[s].rank == 0) continue;
    const auto slot = static_cast<Slot>(s);
    const LowRankPair& pair = *view.low_rank(ids[slot].weight);
    pairs_[s].a = copy(pair.a, 1, pair.rank * at.in(slot));
    pairs_[s].a_scaled = copy(pair.a, pair.scale, pair.rank * at.in(slot));
    pairs_[s].b_scaled = copy(pair.b, pair.scale, pair.rank * at.out(slot));
  }
}

template <class T>
typename LowRankLayer<T>::Rows LowRankLayer<T>::dropped(Slot slot, const T* x, std::int64_t stride, std::int64_t first,
                                                        std::int64_t rows, std::int64_t in, Buffer& scratch) const {
  if (dropout_.p <= 0) return {x, stride};
  scratch.grow(static_cast<std::size_t>(rows * in) * sizeof(T));
  for (std::int64_t r = 0; r < rows; ++r) {
    kernels::dropout(x + r * stride, scratch.as<T>() + r * in, static_cast<std::uint64_t>((first + r) * in),
                     static_cast<std::size_t>(in), dropout_.key, static_cast<std::uint32_t>(pairs_[slot].id),
                     dropout_.p);
  }
  return {scratch.as<T>(), in};
}

template <class T>
void LowRankLayer<T>::drop_gradient(Slot slot, T* dx, std::int64_t first, std::int64_t rows, std::int64_t in) const {
  kernels::dropout(dx, dx, static_cast<std::uint64_t>(first * in), static_cast<std::size_t>(rows * in), dropout_.key,
                   static_cast<std::uint32_t>(pairs_[slot].id), dropout_.p);
}

template <class T>
void LowRankLayer<T>::add(Slot slot, const LayerLayout& at, const T* x, std::int64_t x_stride, T* y, std::int64_t first,
                          std::int64_t rows, Buffer* scratch) const {
  const Pair& pair = pairs_[slot];
  if (pair.rank == 0) return;
  const Rows seen = dropped(slot, x, x_stride, first, rows, at.in(slot), scratch[0]);
  scratch[1].grow(static_cast<std::size_t>(rows * pair.rank) * sizeof(T));
  T* u = scratch[1].as<T>();
  linear(seen.data, pair.a, u, {rows, at.in(slot), pair.rank, seen.stride, pair.rank});
  linear(u, pair.b_scaled, y + at.column(slot), {rows, pair.rank, at.out(slot), pair.rank, at.row_width(slot), true});
}

template class LowRankLayer<float>;
template class LowRankLayer<kernels::Bf16>;

}  // namespace frugal
