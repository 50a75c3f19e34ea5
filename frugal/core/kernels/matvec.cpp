#include <algorithm>
#include <cmath>

#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/matvec.cpp"
#include "hwy/foreach_target.h"

#include "frugal/core/kernels/exp-inl.h"
#include "frugal/core/kernels/simd-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

constexpr std::size_t kAhead = 2048;  // bytes; past the end of w a prefetch does nothing

// One row of w times kTokens rows of x. Sums run in the same order for every kTokens, so a token's result does not
// depend on its company.
template <int kTokens, class W>
HWY_INLINE void row_products(const W* w, const float* x, float* y, std::size_t cols, std::size_t y_stride) {
  VF even[kTokens], odd[kTokens];
  for (int t = 0; t < kTokens; ++t) even[t] = odd[t] = hn::Zero(F32());
  std::size_t c = 0;
  for (; c + 2 * kLanes <= cols; c += 2 * kLanes) {
    hwy::Prefetch(reinterpret_cast<const W*>(reinterpret_cast<std::uintptr_t>(w + c) + kAhead));
    const VF a = load(w + c, Whole{}), b = load(w + c + kLanes, Whole{});
    for (int t = 0; t < kTokens; ++t) {
      even[t] = hn::MulAdd(a, hn::LoadU(F32(), x + t * cols + c), even[t]);
      odd[t] = hn::MulAdd(b, hn::LoadU(F32(), x + t * cols + c + kLanes), odd[t]);
    }
  }
  each_vector(cols - c, [&](std::size_t i, auto span) HWY_ATTR {
    const VF a = load(w + c + i, span);
    for (int t = 0; t < kTokens; ++t) even[t] = hn::MulAdd(a, load(x + t * cols + c + i, span), even[t]);
  });
  for (int t = 0; t < kTokens; ++t) y[t * y_stride] = sum_lanes(hn::Add(even[t], odd[t]));
}

// Row r of w begins at w + r * w_stride. Up to four tokens share a load of w; the rest of the tokens find the row in
// the first-level cache.
template <class W>
HWY_INLINE void products(const W* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
                         std::size_t w_stride, std::size_t y_stride) {
  for (std::size_t row = 0; row < rows; ++row, w += w_stride, ++y) {
    by_fours(tokens, [&](auto count, std::size_t t)
                         HWY_ATTR { row_products<count>(w, x + t * cols, y + t * y_stride, cols, y_stride); });
  }
}
void matvec_bf16(const Bf16* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
                 std::size_t y_stride) {
  products(w, x, y, tokens, rows, cols, cols, y_stride);
}
void matvec_floats(const float* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
                   std::size_t y_stride) {
  products(w, x, y, tokens, rows, cols, cols, y_stride);
}

// scores <- e^(scale (score - largest)); returns their sum.
HWY_INLINE float exponentials(float* scores, std::size_t count, float scale) {
  const float largest = *std::max_element(scores, scores + count);
  VF sum = hn::Zero(F32());
  each_vector(count, [&](std::size_t i, auto span) HWY_ATTR {
    const VF below = hn::Sub(load(scores + i, span), hn::Set(F32(), largest));
    VF term = exp(hn::Mul(below, hn::Set(F32(), scale)));
    if constexpr (std::is_same_v<decltype(span), Part>) term = hn::IfThenElseZero(hn::FirstN(F32(), span.n), term);
    sum = hn::Add(sum, term);
    store(term, scores + i, span);
  });
  return sum_lanes(sum);
}

template <class T>
HWY_INLINE void attend_to(const float* q, const T* keys, const T* values, float* out, std::size_t heads,
                          std::size_t count, std::size_t head_dim, std::size_t stride, float* scores) {
  products(keys, q, scores, heads, count, head_dim, stride, count);
  for (std::size_t h = 0; h < heads; ++h, scores += count, out += head_dim) {
    const VF inverse = hn::Set(F32(), 1 / exponentials(scores, count, 1 / std::sqrt(static_cast<float>(head_dim))));
    each_vector(head_dim, [&](std::size_t i, auto span) HWY_ATTR {
      VF even = hn::Zero(F32()), odd = even;
      std::size_t k = 0;
      for (; k + 2 <= count; k += 2) {
        even = hn::MulAdd(hn::Set(F32(), scores[k]), load(values + k * stride + i, span), even);
        odd = hn::MulAdd(hn::Set(F32(), scores[k + 1]), load(values + (k + 1) * stride + i, span), odd);
      }
      if (k < count) even = hn::MulAdd(hn::Set(F32(), scores[k]), load(values + k * stride + i, span), even);
      store(hn::Mul(hn::Add(even, odd), inverse), out + i, span);
    });
  }
}
void attend_bf16(const float* q, const Bf16* keys, const Bf16* values, float* out, std::size_t heads, std::size_t count,
                 std::size_t head_dim, std::size_t stride, float* scores) {
  attend_to(q, keys, values, out, heads, count, head_dim, stride, scores);
}
void attend_floats(const float* q, const float* keys, const float* values, float* out, std::size_t heads,
                   std::size_t count, std::size_t head_dim, std::size_t stride, float* scores) {
  attend_to(q, keys, values, out, heads, count, head_dim, stride, scores);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(matvec_bf16);
HWY_EXPORT(matvec_floats);
HWY_EXPORT(attend_bf16);
HWY_EXPORT(attend_floats);

void matvec(const Bf16* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride) {
  FRUGAL_DISPATCH(matvec_bf16)(w, x, y, tokens, rows, cols, y_stride);
}
void matvec(const float* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride) {
  FRUGAL_DISPATCH(matvec_floats)(w, x, y, tokens, rows, cols, y_stride);
}
void attend(const float* q, const Bf16* keys, const Bf16* values, float* out, std::size_t heads, std::size_t count,
            std::size_t head_dim, std::size_t stride, float* scores) {
  FRUGAL_DISPATCH(attend_bf16)(q, keys, values, out, heads, count, head_dim, stride, scores);
}
void attend(const float* q, const float* keys, const float* values, float* out, std::size_t heads, std::size_t count,
            std::size_t head_dim, std::size_t stride, float* scores) {
  FRUGAL_DISPATCH(attend_floats)(q, keys, values, out, heads, count, head_dim, stride, scores);
}

}  // namespace frugal::kernels
#endif
