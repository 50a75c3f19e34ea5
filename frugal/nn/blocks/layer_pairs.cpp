#include "frugal/nn/blocks/layer_pairs.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/backward.h"
#include "frugal/core/kernels/optimizers.h"
#include "frugal/nn/blocks/pairs_view.h"

namespace frugal {
namespace {

constexpr std::int64_t kNormRows = 64;  // rows of a weight whose lengths are one work item

// to <- from times scale.
template <class T>
T* place(std::span<const float> from, float scale, T* to) {
  constexpr std::size_t kPart = 1024;  // beside the stack no memory is taken: a token of a decoded text comes by here
  float scaled[kPart];
  for (std::size_t begin = 0; begin < from.size(); begin += kPart) {
    const std::size_t count = std::min(kPart, from.size() - begin);
    for (std::size_t i = 0; i < count; ++i) scaled[i] = from[begin + i] * scale;
    convert(scaled, to + begin, static_cast<std::int64_t>(count));
  }
  return to + from.size();
}

}  // namespace

void pair_row_norms(float* w, std::int64_t begin, std::int64_t rows, std::int64_t in, std::int64_t rank, float scale,
                    const float* a, const float* b, float* norms) {
  std::vector<float> scaled(b + begin * rank, b + (begin + rows) * rank);
  for (float& value : scaled) value *= scale;
  linear_input_gradient(scaled.data(), a, w, {rows, in, rank, in, rank, true});  // w += scaled a
  for (std::int64_t r = 0; r < rows; ++r)
    norms[r] = static_cast<float>(std::sqrt(kernels::sum_of_squares(w + r * in, static_cast<std::size_t>(in))));
}

template <class T>
void scale_columns(T* y, std::int64_t rows, std::int64_t cols, std::int64_t stride, const float* factor) {
  std::vector<float> row(static_cast<std::size_t>(cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    convert(y + r * stride, row.data(), cols);
    for (std::int64_t j = 0; j < cols; ++j) row[static_cast<std::size_t>(j)] *= factor[j];
    convert(row.data(), y + r * stride, cols);
  }
}

// a [rank, in] and b [out, rank] of every pair and branch, rounded once to what products take, and of DoRA
// g[i] = magnitude[i] / |W[i] + scale b[i] a| with the lengths' inverses.
template <class T>
LayerPairs<T>::LayerPairs(const WeightView& view, const LayerIds& ids, const LayerLayout& at, Threads& threads,
                          std::uint32_t part, For purpose)
    : pairs_(static_cast<std::size_t>(view.branches())), dropout_(view.low_rank_dropout()) {
  if (part > 0) dropout_.key = philox_key(dropout_.key, part);
  std::size_t numbers = 0, rows = 0;
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    const LowRankPair* pair = ids[slot].weight == kNoTensor ? nullptr : view.low_rank(ids[slot].weight);
    if (pair == nullptr) continue;
    for (auto& of_branch : pairs_) of_branch[s] = {.rank = pair->rank, .id = ids[slot].weight};
    const std::int64_t times_a = purpose == For::backward ? 2 : 1;
    numbers += static_cast<std::size_t>(pair->rank * (times_a * at.in(slot) + at.out(slot)));
    if (pair->magnitude != nullptr) rows += static_cast<std::size_t>(2 * at.out(slot));
  }
  if (numbers == 0) return;
  memory_ = Buffer(pairs_.size() * numbers * sizeof(T));
  lengths_ = Buffer(pairs_.size() * rows * sizeof(float));
  std::vector<std::vector<float>> copies_of_a(pairs_.size()), copies_of_b(pairs_.size());
  std::vector<std::span<const float>> a(pairs_.size()), b(pairs_.size());
  std::vector<float*> out(pairs_.size());
  T* to = memory_.as<T>();
  float* lengths = lengths_.as<float>();
  for (std::size_t s = 0; s < kSlots; ++s) {
    const auto slot = static_cast<Slot>(s);
    if (pair(slot).rank == 0) continue;
    const LowRankPair& whole = *view.low_rank(pair(slot).id);
    const std::int64_t in = at.in(slot), rows_of = at.out(slot);
    // Where they lie, or as each branch has them.
    const auto read = [&](PairPart of, std::vector<std::vector<float>>& copies,
                          std::vector<std::span<const float>>& into, std::int64_t count) {
      const auto size = static_cast<std::size_t>(count);
      if (view.branches() == 1) {
        std::fill(into.begin(), into.end(), std::span(whole.values(of), size));
        return;
      }
      for (std::size_t i = 0; i < into.size(); ++i) {
        copies[i].resize(size);
        out[i] = copies[i].data();
        into[i] = copies[i];
      }
      view.low_rank_part(pair(slot).id, of, out.data());
    };
    read(PairPart::a, copies_of_a, a, whole.rank * in);
    read(PairPart::b, copies_of_b, b, whole.rank * rows_of);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      Pair& own = pairs_[i][s];
      own.a = std::exchange(to, place(a[i], 1, to));
      if (purpose == For::backward) own.a_scaled = std::exchange(to, place(a[i], whole.scale, to));
      own.b_scaled = std::exchange(to, place(b[i], whole.scale, to));
    }
    if (whole.magnitude == nullptr) continue;
    std::vector<float*> factors(pairs_.size());  // of each branch: rows_of factors, then as many inverse lengths
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      factors[i] = std::exchange(lengths, lengths + 2 * rows_of);
      pairs_[i][s].factor = factors[i];
      pairs_[i][s].inverse_norm = factors[i] + rows_of;
    }
    view.low_rank_part(pair(slot).id, PairPart::magnitude, factors.data());
    const std::int64_t tiles = (rows_of + kNormRows - 1) / kNormRows;
    threads.run(tiles * view.branches(), [&](std::int64_t item, int) {
      const auto branch = static_cast<std::size_t>(item % view.branches());
      const std::int64_t begin = item / view.branches() * kNormRows, end = std::min(rows_of, begin + kNormRows);
      std::vector<float> w(static_cast<std::size_t>((end - begin) * in));
      view.store().read_rows(pair(slot).id, begin, end, w.data());  // pairs are beside weights that no branch changes
      float *factor = factors[branch] + begin, *inverse = factor + rows_of;
      pair_row_norms(w.data(), begin, end - begin, in, whole.rank, whole.scale, a[branch].data(), b[branch].data(),
                     inverse);
      for (std::int64_t i = 0; i < end - begin; ++i) {
        inverse[i] = inverse[i] > 0 ? 1 / inverse[i] : 0;  // a row of zeros stays one
        factor[i] *= inverse[i];
      }
    });
  }
}

template <class T>
typename LayerPairs<T>::Rows LayerPairs<T>::dropped(Slot slot, const T* x, std::int64_t stride, std::int64_t first,
                                                    std::int64_t rows, std::int64_t in, T* to) const {
  if (!has_dropout()) return {x, stride};
  for (std::int64_t r = 0; r < rows; ++r) {
    kernels::dropout(x + r * stride, to + r * in, static_cast<std::uint64_t>((first + r) * in),
                     static_cast<std::size_t>(in), dropout_.key, static_cast<std::uint32_t>(pair(slot).id), dropout_.p);
  }
  return {to, in};
}

template <class T>
void LayerPairs<T>::drop_gradient(Slot slot, T* dx, std::int64_t first, std::int64_t rows, std::int64_t in) const {
  kernels::dropout(dx, dx, static_cast<std::uint64_t>(first * in), static_cast<std::size_t>(rows * in), dropout_.key,
                   static_cast<std::uint32_t>(pair(slot).id), dropout_.p);
}

template <class T>
void LayerPairs<T>::add(Slot slot, int branch, const LayerLayout& at, const T* w, const T* x, std::int64_t x_stride,
                        T* y, std::int64_t first, std::int64_t rows, PairScratch& scratch) const {
  const Pair& own = pair(slot, branch);
  if (own.rank == 0) return;
  const std::int64_t in = at.in(slot), out = at.out(slot), width = at.row_width(slot);
  if (has_dropout()) scratch.dropped.grow(static_cast<std::size_t>(rows * in) * sizeof(T));
  const Rows seen = dropped(slot, x, x_stride, first, rows, in, scratch.dropped.as<T>());
  scratch.inner.grow(static_cast<std::size_t>(rows * own.rank) * sizeof(T));
  T *u = scratch.inner.as<T>(), *to = y + at.column(slot);
  linear(seen.data, own.a, u, {rows, in, own.rank, seen.stride, own.rank});  // u = d a^T
  // LoRA: y + scale u b^T; DoRA without dropout: g times that, since y = d W^T then.
  if (own.factor == nullptr || !has_dropout()) {
    linear(u, own.b_scaled, to, {rows, own.rank, out, own.rank, width, true});
    if (own.factor != nullptr) scale_columns(to, rows, out, width, own.factor);
    return;
  }
  // DoRA with dropout: y + (g - 1) (d W^T) + g scale u b^T, d W^T made beside y = x W^T.
  scratch.outer.grow(static_cast<std::size_t>(2 * rows * out) * sizeof(T));
  T *base = scratch.outer.as<T>(), *low = base + rows * out;
  linear(seen.data, w, base, {rows, in, out, seen.stride, out});
  linear(u, own.b_scaled, low, {rows, own.rank, out, own.rank, out});
  std::vector<float> sum(static_cast<std::size_t>(3 * out));
  float *of_y = sum.data(), *of_base = of_y + out, *of_low = of_base + out;
  for (std::int64_t r = 0; r < rows; ++r) {
    convert(to + r * width, of_y, out);
    convert(base + r * out, of_base, out);
    convert(low + r * out, of_low, out);
    for (std::int64_t j = 0; j < out; ++j) of_y[j] += (own.factor[j] - 1) * of_base[j] + own.factor[j] * of_low[j];
    convert(of_y, to + r * width, out);
  }
}

template void scale_columns(float*, std::int64_t, std::int64_t, std::int64_t, const float*);
template void scale_columns(kernels::Bf16*, std::int64_t, std::int64_t, std::int64_t, const float*);
template class LayerPairs<float>;
template class LayerPairs<kernels::Bf16>;

}  // namespace frugal
