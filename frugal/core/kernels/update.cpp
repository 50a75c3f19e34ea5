#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/update.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <iterator>

#include "frugal/core/kernels/directions-inl.h"
#include "frugal/core/kernels/masks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// What the forward pass saw of w + e and w - e: sums rounded to the type of the weight.
HWY_INLINE VF as_stored(const Bf16*, VF sum) { return upper_as_float(round_upper(sum)); }
HWY_INLINE VF as_stored(const float*, VF sum) { return sum; }

// descent (+)= coefficient * direction, over whole vectors; the buffers hold whole vectors past n.
template <bool kEvaluated, bool kFirst, class W>
void add_sample(const W* type, const float* w, const float* step, float coefficient, float inverse, std::size_t n,
                float* descent) {
  const VF factor = hn::Set(F32(), coefficient), scale = hn::Set(F32(), inverse);
  for (std::size_t i = 0; i < n; i += kLanes) {
    VF d = hn::LoadU(F32(), step + i);
    if constexpr (kEvaluated) {
      const VF weight = hn::LoadU(F32(), w + i);
      d = hn::Mul(hn::Sub(as_stored(type, hn::Add(weight, d)), as_stored(type, hn::Sub(weight, d))), scale);
    }
    d = hn::Mul(factor, d);
    if constexpr (!kFirst) d = hn::Add(hn::LoadU(F32(), descent + i), d);
    hn::StoreU(d, F32(), descent + i);
  }
}

// w <- old keep - descent where the mask lets it; else old, to the bit.
// Stochastic rounding: 16 random bits added below the 16 that stay carry with the right probability; never into a NaN.
template <bool kMasked, bool kStochastic, class W>
void write_weights(W* w, const float* old, const float* descent, const std::uint32_t* mask, const std::uint32_t* noise,
                   float keep, std::size_t n) {
  const VF factor = hn::Set(F32(), keep);
  each_vector(n, [=](std::size_t i, auto span) HWY_ATTR {
    const VF before = hn::LoadU(F32(), old + i);
    const VF value = hn::Sub(hn::Mul(before, factor), hn::LoadU(F32(), descent + i));
    VU bits = hn::BitCast(U32(), value);
    if constexpr (kStochastic) {
      const VU nan = hn::BitCast(U32(), hn::VecFromMask(F32(), hn::IsNaN(value)));
      bits = hn::Add(bits, hn::AndNot(nan, hn::LoadU(U32(), noise + i)));
    }
    if constexpr (kMasked) {
      const VU take = hn::LoadU(U32(), mask + i);
      bits = hn::Or(hn::And(take, bits), hn::AndNot(take, hn::BitCast(U32(), before)));
    }
    if constexpr (kStochastic)
      store_upper(bits, w + i, span);
    else
      store(hn::BitCast(F32(), bits), w + i, span);
  });
}

template <class W>
void update_range(W* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& rule) {
  HWY_ALIGN float old[kChunk + 16], step[kChunk + 16], descent[kChunk + 16];
  HWY_ALIGN std::uint32_t mask[kChunk + 16], noise[kChunk + 16];
  constexpr bool kRounds = std::is_same_v<W, Bf16>;
  const bool stochastic = kRounds && u.stochastic, masked = rule.rule != Mask::Rule::none;
  const auto write = stochastic ? (masked ? write_weights<true, kRounds, W> : write_weights<false, kRounds, W>)
                                : (masked ? write_weights<true, false, W> : write_weights<false, false, W>);
  const auto add_first = u.evaluated ? add_sample<true, true, W> : add_sample<false, true, W>;
  const auto add_next = u.evaluated ? add_sample<true, false, W> : add_sample<false, false, W>;
  const float scale = u.evaluated ? step_scale(u.direction, u.eps) : unit_scale(u.direction);
  const float inverse = 1 / (2 * u.eps);
  if (u.samples.empty()) std::fill(std::begin(descent), std::end(descent), 0.0f);
  each_piece(first, n, [&](const Piece& piece) {
    W* at = w + piece.offset;
    const std::size_t size = piece.size();
    each_vector(size, [&](std::size_t i, auto span) HWY_ATTR { hn::StoreU(load(at + i, span), F32(), old + i); });
    for (std::size_t j = 0; j < u.samples.size(); ++j) {
      fill(u.direction, u.samples[j].key, u.tensor, scale, piece, step);
      (j == 0 ? add_first : add_next)(at, old, step + piece.begin, u.samples[j].coefficient, inverse, size, descent);
    }
    if (masked) fill_mask(rule, u.tensor, at, piece, mask);
    if (stochastic) halves(u.rounding_key, u.tensor, Stream::rounding, piece, noise);
    write(at, old, descent, mask + piece.begin, noise + piece.begin, 1 - u.decay, size);
  });
}

void update_bf16(Bf16* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& mask) {
  update_range(w, first, n, u, mask);
}
void update_floats(float* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& mask) {
  update_range(w, first, n, u, mask);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(update_bf16);
HWY_EXPORT(update_floats);

void update(Bf16* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& mask) {
  FRUGAL_DISPATCH(update_bf16)(w, first, n, u, mask);
}
void update(float* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& mask) {
  FRUGAL_DISPATCH(update_floats)(w, first, n, u, mask);
}

}  // namespace frugal::kernels
#endif
