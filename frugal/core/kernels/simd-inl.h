// Vectors of floats loaded from and stored to float or bf16, whole or in part, and loops over them and over tokens;
// compiled once per instruction set.
#if defined(FRUGAL_CORE_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_SIMD_INL_H_
#undef FRUGAL_CORE_KERNELS_SIMD_INL_H_
#else
#define FRUGAL_CORE_KERNELS_SIMD_INL_H_
#endif

#include <cstring>
#include <type_traits>

#include "frugal/core/kernels/kernels.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes of 32 bits: one logical block of 64 bytes is one or several vectors on every instruction set.
using F32 = hn::CappedTag<float, 16>;
using U32 = hn::Rebind<std::uint32_t, F32>;
using I32 = hn::Rebind<std::int32_t, F32>;
using VF = hn::Vec<F32>;
using VU = hn::Vec<U32>;
inline constexpr std::size_t kLanes = hn::MaxLanes(F32());

// A whole vector, or only its first n lanes (0 < n < kLanes).
struct Whole {};
struct Part {
  std::size_t n;
};

// Calls body(i, span) for i = 0, kLanes, ... : Whole for full vectors, then Part for what is left of n.
template <class Body>
HWY_INLINE void each_vector(std::size_t n, const Body& body) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, Whole{});
  if (i < n) body(i, Part{n - i});
}

// Calls body(n, t), n a constant of at most 4, for tokens [t, t + n) until all are done: those share what is loaded.
template <int kTokens>
using Tokens = std::integral_constant<int, kTokens>;
template <class Body>
HWY_INLINE void by_fours(std::size_t tokens, const Body& body) {
  std::size_t t = 0;
  for (; t + 4 <= tokens; t += 4) body(Tokens<4>(), t);
  switch (tokens - t) {
    case 3:
      return body(Tokens<3>(), t);
    case 2:
      return body(Tokens<2>(), t);
    case 1:
      return body(Tokens<1>(), t);
    default:
      return;
  }
}

HWY_INLINE VF load(const float* p, Whole) { return hn::LoadU(F32(), p); }
HWY_INLINE VF load(const Bf16* p, Whole) {
  const auto half = hn::LoadU(hn::Rebind<std::uint16_t, F32>(), reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(U32(), half)));
}

// bf16 bits in the upper half of each lane, as they are (no rounding).
HWY_INLINE void store_upper(VU bits, Bf16* p, Whole) {
  const hn::Rebind<std::int16_t, F32> half;  // signed: the arithmetic shift keeps the demotion from saturating
  hn::StoreU(hn::DemoteTo(half, hn::ShiftRight<16>(hn::BitCast(I32(), bits))), half,
             reinterpret_cast<std::int16_t*>(p));
}

// Nearest bf16, ties to even, in the upper half of each lane; the lower half is rubbish. Keeps a NaN whose lower half
// is zero.
HWY_INLINE VU round_upper(VF v) {
  const VU bits = hn::BitCast(U32(), v);
  const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(U32(), 1));
  return hn::Add(bits, hn::Add(odd, hn::Set(U32(), 0x7FFF)));
}
HWY_INLINE VF upper_as_float(VU bits) { return hn::BitCast(F32(), hn::And(bits, hn::Set(U32(), 0xFFFF0000))); }

HWY_INLINE void store(VF v, float* p, Whole) { hn::StoreU(v, F32(), p); }
HWY_INLINE void store(VF v, Bf16* p, Whole) {
  const VU quiet = hn::Or(hn::BitCast(U32(), v), hn::Set(U32(), 0x00400000));
  store_upper(hn::IfThenElse(hn::RebindMask(U32(), hn::IsNaN(v)), quiet, round_upper(v)), p, Whole{});
}

template <class T>
HWY_INLINE VF load(const T* p, Part part) {
  T lanes[kLanes] = {};
  std::memcpy(lanes, p, part.n * sizeof(T));
  return load(lanes, Whole{});
}
template <class T>
HWY_INLINE void store(VF v, T* p, Part part) {
  T lanes[kLanes];
  store(v, lanes, Whole{});
  std::memcpy(p, lanes, part.n * sizeof(T));
}
HWY_INLINE void store_upper(VU bits, Bf16* p, Part part) {
  Bf16 lanes[kLanes];
  store_upper(bits, lanes, Whole{});
  std::memcpy(p, lanes, part.n * sizeof(Bf16));
}

// Lane-sum; the order of the sum depends on the instruction set.
HWY_INLINE float sum_lanes(VF v) { return hn::GetLane(hn::SumOfLanes(F32(), v)); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
