// e^x for vectors; compiled once per instruction set.
#if defined(FRUGAL_CORE_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_EXP_INL_H_
#undef FRUGAL_CORE_KERNELS_EXP_INL_H_
#else
#define FRUGAL_CORE_KERNELS_EXP_INL_H_
#endif

#include "frugal/core/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// Error at most 2 ulp for x in [-87, 88]; 0 below, e^88 above, NaN for NaN.
// x = k ln 2 + r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 P(r), minimax, error 5e-9. Adding 1.5 * 2^23 rounds to the integer
// k and leaves it in the low bits.
HWY_INLINE VF exp(VF x) {
  const VF magic = hn::Set(F32(), 0x1.8p23f), limit = hn::Set(F32(), 88);
  const VF high = hn::IfThenElse(hn::Gt(x, limit), limit, x);  // not Min: it may drop a NaN
  const VF shifted = hn::MulAdd(high, hn::Set(F32(), 1.44269504f), magic), k = hn::Sub(shifted, magic);
  const VF r = hn::MulAdd(k, hn::Set(F32(), 0x1.BD0106p-13f), hn::MulAdd(k, hn::Set(F32(), -0.693359375f), high)),
           r2 = hn::Mul(r, r);
  const VF low = hn::MulAdd(hn::Set(F32(), 0.166665182f), r, hn::Set(F32(), 0.5f));
  const VF mid = hn::MulAdd(hn::Set(F32(), 0.00836888235f), r, hn::Set(F32(), 0.041666206f));
  const VF p = hn::MulAdd(hn::MulAdd(hn::Set(F32(), 0.00139504764f), r2, mid), r2, low);
  const VF e = hn::Add(hn::MulAdd(p, r2, r), hn::Set(F32(), 1));
  const VF power =
      hn::BitCast(F32(), hn::Add(hn::ShiftLeft<23>(hn::BitCast(I32(), shifted)), hn::Set(I32(), 127 << 23)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(F32(), -87)), hn::Mul(e, power));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
