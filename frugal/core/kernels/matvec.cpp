#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/matvec.cpp"
#include "hwy/foreach_target.h"

#include "frugal/core/kernels/simd-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

inline constexpr std::size_t kAhead = 2048;  // bytes; past the end of w a prefetch does nothing

// One row of w times kTokens rows of x. Sums run in the same order for every kTokens, so a token's result does not
// depend on its company.
template <int kTokens, class W>
HWY_INLINE void row_products(const W* w, const float* x, float* y, std::size_t cols, std::size_t y_stride) {
  VF even[kTokens], odd[kTokens];
  for (int t = 0; t < kTokens; ++t) even[t] = odd[t] = hn::Zero(F32());
  std::size_t c = 0;
  for (; c + 2 * kLanes <= cols; c += 2 * kLanes) {
    hwy::Prefetch(w + c + kAhead / sizeof(W));
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

// Up to four tokens share a load of w; the rest of the tokens find the row in the first-level cache.
template <class W>
void products(const W* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
              std::size_t y_stride) {
  for (std::size_t row = 0; row < rows; ++row, w += cols, ++y) {
    std::size_t t = 0;
    for (; t + 4 <= tokens; t += 4) row_products<4>(w, x + t * cols, y + t * y_stride, cols, y_stride);
    const float* left = x + t * cols;
    float* to = y + t * y_stride;
    switch (tokens - t) {
      case 3:
        row_products<3>(w, left, to, cols, y_stride);
        break;
      case 2:
        row_products<2>(w, left, to, cols, y_stride);
        break;
      case 1:
        row_products<1>(w, left, to, cols, y_stride);
        break;
      default:
        break;
    }
  }
}
void matvec_bf16(const Bf16* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
                 std::size_t y_stride) {
  products(w, x, y, tokens, rows, cols, y_stride);
}
void matvec_floats(const float* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
                   std::size_t y_stride) {
  products(w, x, y, tokens, rows, cols, y_stride);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(matvec_bf16);
HWY_EXPORT(matvec_floats);

void matvec(const Bf16* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride) {
  FRUGAL_DISPATCH(matvec_bf16)(w, x, y, tokens, rows, cols, y_stride);
}
void matvec(const float* w, const float* x, float* y, std::size_t tokens, std::size_t rows, std::size_t cols,
            std::size_t y_stride) {
  FRUGAL_DISPATCH(matvec_floats)(w, x, y, tokens, rows, cols, y_stride);
}

}  // namespace frugal::kernels
#endif
