#include "frugal/nn/blocks/pairs_backward.h"

namespace frugal {

template <class T>
PairsBackward<T>::PairsBackward(const LayerPairs<T>& low_rank, const LayerLayout& at, BackwardState& back,
                                Gradients& gradients, std::int64_t tokens, std::int64_t chunk)
    : low_rank_(low_rank), at_(at), back_(back), tokens_(tokens), chunk_(chunk) {
  const auto bytes = [&](std::int64_t width) { return static_cast<std::size_t>(tokens * width) * sizeof(T); };
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    const auto& pair = low_rank.pair(slot);
    if (pair.rank == 0) continue;
    sums_[s] = gradients.of_low_rank(pair.id);
    back.u[s].grow(bytes(pair.rank));
    back.du[s].grow(bytes(pair.rank));
    if (low_rank.has_dropout()) back.dropped[s].grow(bytes(at.in(slot)));
    if (pair.factor == nullptr || sums_[s].magnitude == nullptr) continue;
    const std::int64_t numbers = (tokens + chunk - 1) / chunk * at.out(slot);
    back.dmagnitude[s].grow(static_cast<std::size_t>(numbers) * sizeof(float));
    std::fill_n(back.dmagnitude[s].as<float>(), numbers, 0.0f);
  }
}

// dm[i] = sum over tokens of dy[i] (d W^T + scale d a^T b^T)[i] / |W'[i]|. Without dropout all of y has the factor g:
// then dy <- g dy.
template <class T>
void PairsBackward<T>::magnitude(Slot slot, const T* w, T* dy, const T* x, std::int64_t x_stride, std::int64_t first,
                                 std::int64_t rows, PairScratch& scratch) const {
  const auto& pair = low_rank_.pair(slot);
  if (pair.factor == nullptr) return;
  const std::int64_t in = at_.in(slot), out = at_.out(slot), width = at_.row_width(slot);
  T* own = dy + at_.column(slot);
  if (sums_[slot].magnitude != nullptr) {
    if (low_rank_.has_dropout()) scratch.dropped.grow(static_cast<std::size_t>(rows * in) * sizeof(T));
    const auto seen = low_rank_.dropped(slot, x, x_stride, first, rows, in, scratch.dropped.template as<T>());
    scratch.inner.grow(static_cast<std::size_t>(rows * pair.rank) * sizeof(T));
    scratch.outer.grow(static_cast<std::size_t>(rows * out) * sizeof(T));
    T *u = scratch.inner.template as<T>(), *y = scratch.outer.template as<T>();
    linear(seen.data, w, y, {rows, in, out, seen.stride, out});
    linear(seen.data, pair.a, u, {rows, in, pair.rank, seen.stride, pair.rank});
    linear(u, pair.b_scaled, y, {rows, pair.rank, out, pair.rank, out, true});
    float* sum = back_.dmagnitude[slot].as<float>() + first / chunk_ * out;
    std::vector<float> both(static_cast<std::size_t>(2 * out));
    float *of_y = both.data(), *of_dy = of_y + out;
    for (std::int64_t r = 0; r < rows; ++r) {
      convert(y + r * out, of_y, out);
      convert(own + r * width, of_dy, out);
      for (std::int64_t j = 0; j < out; ++j) sum[j] += of_dy[j] * of_y[j];
    }
    for (std::int64_t j = 0; j < out; ++j) sum[j] *= pair.inverse_norm[j];
  }
  if (!low_rank_.has_dropout()) scale_columns(own, rows, out, width, pair.factor);
}

// du = scale dy b and dx += du a, through the mask of the dropout; with a magnitude beside dropout dx also takes
// (g - 1) dy W through the mask, and du is made of g dy.
template <class T>
void PairsBackward<T>::input_gradient(Slot slot, const T* w, T* dy, T* dx, std::int64_t dx_stride, std::int64_t first,
                                      std::int64_t rows, PairScratch& scratch) const {
  const auto& pair = low_rank_.pair(slot);
  if (pair.rank == 0) return;
  const std::int64_t in = at_.in(slot), out = at_.out(slot), width = at_.row_width(slot);
  T *du = back_.du[slot].template as<T>() + first * pair.rank, *own = dy + at_.column(slot);
  const bool has_dropout = low_rank_.has_dropout(), splits = has_dropout && pair.factor != nullptr;
  T* dropped = nullptr;
  if (has_dropout && dx != nullptr) {
    scratch.dropped.grow(static_cast<std::size_t>(rows * in) * sizeof(T));
    dropped = scratch.dropped.template as<T>();
  }
  if (splits && dropped != nullptr) {
    scratch.outer.grow(static_cast<std::size_t>(rows * out) * sizeof(T));
    T* beyond = scratch.outer.template as<T>();  // (g - 1) dy
    std::vector<float> less(pair.factor, pair.factor + out);
    for (float& factor : less) factor -= 1;
    for (std::int64_t r = 0; r < rows; ++r) std::copy_n(own + r * width, out, beyond + r * out);
    scale_columns(beyond, rows, out, out, less.data());
    linear_input_gradient(beyond, w, dropped, {rows, in, out, in, out});
  }
  if (splits) scale_columns(own, rows, out, width, pair.factor);
  linear_input_gradient(own, pair.b_scaled, du, {rows, pair.rank, out, pair.rank, width});
  if (dx == nullptr) return;
  if (!has_dropout) return linear_input_gradient(du, pair.a, dx, {rows, in, pair.rank, dx_stride, pair.rank, true});
  linear_input_gradient(du, pair.a, dropped, {rows, in, pair.rank, in, pair.rank, splits});
  low_rank_.drop_gradient(slot, dropped, first, rows, in);
  for (std::int64_t r = 0; r < rows; ++r)
    kernels::add(dx + r * dx_stride, dropped + r * in, static_cast<std::size_t>(in));
}

template <class T>
void PairsBackward<T>::inner(Slot slot, const T* x, std::int64_t stride, std::int64_t first, std::int64_t rows) const {
  const auto& pair = low_rank_.pair(slot);
  if (pair.rank == 0) return;
  const std::int64_t in = at_.in(slot);
  const auto seen =
      low_rank_.dropped(slot, x, stride, first, rows, in, back_.dropped[slot].template as<T>() + first * in);
  linear(seen.data, pair.a_scaled, back_.u[slot].template as<T>() + first * pair.rank,
         {rows, in, pair.rank, seen.stride, pair.rank});
}

template <class T>
void PairsBackward<T>::add_gradients(Slot slot, const T* dy, const T* x, WeightGradients<T>& work) const {
  const auto& pair = low_rank_.pair(slot);
  if (pair.rank == 0) return;
  const std::int64_t in = at_.in(slot);
  if (low_rank_.has_dropout()) x = back_.dropped[slot].template as<T>();
  work.add({sums_[slot].b}, dy + at_.column(slot), at_.row_width(slot), back_.u[slot].template as<T>(), pair.rank,
           tokens_, at_.out(slot), pair.rank);
  work.add({sums_[slot].a}, back_.du[slot].template as<T>(), pair.rank, x, in, tokens_, pair.rank, in);
}

template <class T>
void PairsBackward<T>::add_magnitudes() const {
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    if (low_rank_.pair(slot).factor == nullptr || sums_[s].magnitude == nullptr) continue;
    const auto out = static_cast<std::size_t>(at_.out(slot));
    for (std::int64_t first = 0; first < tokens_; first += chunk_)
      kernels::add(sums_[s].magnitude, back_.dmagnitude[s].as<float>() + static_cast<std::size_t>(first / chunk_) * out,
                   out);
  }
}

template class PairsBackward<float>;
template class PairsBackward<kernels::Bf16>;

}  // namespace frugal
