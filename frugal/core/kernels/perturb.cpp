#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/perturb.cpp"
#include "hwy/foreach_target.h"

#include <cmath>

#include "frugal/core/kernels/directions-inl.h"
#include "frugal/core/kernels/masks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

template <class Out, class Span>
HWY_INLINE void store_sum(const Bf16*, VF sum, Out* out, Span span) {
  if constexpr (std::is_same_v<Out, Bf16>)
    store_upper(round_upper(sum), out, span);
  else
    store(upper_as_float(round_upper(sum)), out, span);
}
template <class Out, class Span>
HWY_INLINE void store_sum(const float*, VF sum, Out* out, Span span) {
  store(sum, out, span);
}

template <bool kMasked, class W, class Out>
void perturb_piece(const W* w, Out* plus, Out* minus, std::size_t n, const float* step, const std::uint32_t* mask) {
  each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
    const VF weight = load(w + i, span);
    VF e = hn::LoadU(F32(), step + i);
    if constexpr (kMasked) e = hn::And(e, hn::BitCast(F32(), hn::LoadU(U32(), mask + i)));
    store_sum(w, hn::Add(weight, e), plus + i, span);
    if (minus != nullptr) store_sum(w, hn::Sub(weight, e), minus + i, span);
  });
}

template <class W, class Out>
void perturb_range(const W* w, Out* plus, Out* minus, std::uint64_t first, std::size_t n, const Noise& noise,
                   const Mask& rule) {
  HWY_ALIGN float step[kChunk + 16];
  HWY_ALIGN std::uint32_t mask[kChunk + 16];
  const float scale = step_scale(noise.direction, noise.eps);
  each_piece(first, n, [&](const Piece& piece) {
    const W* from = w + piece.offset;
    Out* up = plus + piece.offset;
    Out* down = minus == nullptr ? nullptr : minus + piece.offset;
    fill(noise.direction, noise.key, noise.tensor, scale, piece, step);
    if (rule.rule == Mask::Rule::none) {
      perturb_piece<false>(from, up, down, piece.size(), step + piece.begin, nullptr);
    } else {
      fill_mask(rule, noise.tensor, from, piece, mask);
      perturb_piece<true>(from, up, down, piece.size(), step + piece.begin, mask + piece.begin);
    }
  });
}

void perturb_to_bf16(const Bf16* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n, const Noise& noise,
                     const Mask& mask) {
  perturb_range(w, plus, minus, first, n, noise, mask);
}
void perturb_to_float(const Bf16* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise& noise,
                      const Mask& mask) {
  perturb_range(w, plus, minus, first, n, noise, mask);
}
void perturb_floats(const float* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise& noise,
                    const Mask& mask) {
  perturb_range(w, plus, minus, first, n, noise, mask);
}
void perturb_floats_to_bf16(const float* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n,
                            const Noise& noise, const Mask& mask) {
  perturb_range(w, plus, minus, first, n, noise, mask);
}

void directions_of(const Noise& noise, std::uint64_t first, std::size_t n, float* z) {
  HWY_ALIGN float chunk[kChunk];
  each_piece(first, n, [&](const Piece& piece) {
    fill(noise.direction, noise.key, noise.tensor, unit_scale(noise.direction), piece, chunk);
    std::memcpy(z + piece.offset, chunk + piece.begin, piece.size() * sizeof(float));
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(perturb_to_bf16);
HWY_EXPORT(perturb_to_float);
HWY_EXPORT(perturb_floats);
HWY_EXPORT(perturb_floats_to_bf16);
HWY_EXPORT(directions_of);

float table_scale(Direction direction, float eps) {
  int power = 0;
  const double fraction = std::frexp(static_cast<double>(eps) * table_deviation(direction), &power);
  return static_cast<float>(std::ldexp(std::nearbyint(fraction * 65536), power - 16));
}

void directions(const Noise& noise, std::uint64_t first, std::size_t n, float* z) {
  FRUGAL_DISPATCH(directions_of)(noise, first, n, z);
}

void perturb(const Bf16* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n, const Noise& noise,
             const Mask& mask) {
  FRUGAL_DISPATCH(perturb_to_bf16)(w, plus, minus, first, n, noise, mask);
}
void perturb(const Bf16* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise& noise,
             const Mask& mask) {
  FRUGAL_DISPATCH(perturb_to_float)(w, plus, minus, first, n, noise, mask);
}
void perturb(const float* w, float* plus, float* minus, std::uint64_t first, std::size_t n, const Noise& noise,
             const Mask& mask) {
  FRUGAL_DISPATCH(perturb_floats)(w, plus, minus, first, n, noise, mask);
}
void perturb(const float* w, Bf16* plus, Bf16* minus, std::uint64_t first, std::size_t n, const Noise& noise,
             const Mask& mask) {
  FRUGAL_DISPATCH(perturb_floats_to_bf16)(w, plus, minus, first, n, noise, mask);
}

}  // namespace frugal::kernels
#endif
