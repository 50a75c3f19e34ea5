#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/elementwise.cpp"
#include "hwy/foreach_target.h"

#include <cmath>

#include "frugal/core/kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

template <class From, class To>
void convert(const From* from, To* to, std::size_t n) {
  each_vector(n, [&](std::size_t i, auto span) HWY_ATTR { store(load(from + i, span), to + i, span); });
}
void bf16_to_float(const Bf16* from, float* to, std::size_t n) { convert(from, to, n); }
void float_to_bf16(const float* from, Bf16* to, std::size_t n) { convert(from, to, n); }

template <class H, class Y>
void add_rows(H* h, const Y* y, std::size_t n) {
  each_vector(
      n, [&](std::size_t i, auto span) HWY_ATTR { store(hn::Add(load(h + i, span), load(y + i, span)), h + i, span); });
}
void add_floats(float* h, const float* y, std::size_t n) { add_rows(h, y, n); }
void add_bf16(float* h, const Bf16* y, std::size_t n) { add_rows(h, y, n); }
void add_bf16_to_bf16(Bf16* h, const Bf16* y, std::size_t n) { add_rows(h, y, n); }

// Four partial sums a lane, so that the additions do not wait for one another.
HWY_INLINE float sum_of_squares(const float* h, std::size_t n) {
  VF a = hn::Zero(F32()), b = a, c = a, d = a;
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const VF p = hn::LoadU(F32(), h + i), q = hn::LoadU(F32(), h + i + kLanes);
    const VF r = hn::LoadU(F32(), h + i + 2 * kLanes), s = hn::LoadU(F32(), h + i + 3 * kLanes);
    a = hn::MulAdd(p, p, a), b = hn::MulAdd(q, q, b), c = hn::MulAdd(r, r, c), d = hn::MulAdd(s, s, d);
  }
  each_vector(n - i, [&](std::size_t j, auto span) HWY_ATTR {
    const VF p = load(h + i + j, span);
    a = hn::MulAdd(p, p, a);
  });
  return sum_lanes(hn::Add(hn::Add(a, b), hn::Add(c, d)));
}

template <class Out>
void normalise(const float* h, const float* gain, Out* out, std::size_t rows, std::size_t cols, float eps) {
  for (std::size_t row = 0; row < rows; ++row, h += cols, out += cols) {
    const VF scale = hn::Set(F32(), 1 / std::sqrt(sum_of_squares(h, cols) / static_cast<float>(cols) + eps));
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      store(hn::Mul(hn::Mul(load(h + i, span), scale), load(gain + i, span)), out + i, span);
    });
  }
}
void rms_norm_floats(const float* h, const float* gain, float* out, std::size_t rows, std::size_t cols, float eps) {
  normalise(h, gain, out, rows, cols, eps);
}
void rms_norm_bf16(const float* h, const float* gain, Bf16* out, std::size_t rows, std::size_t cols, float eps) {
  normalise(h, gain, out, rows, cols, eps);
}

template <class T>
void rotate(T* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
            std::size_t stride) {
  const std::size_t half = head_dim / 2;
  for (std::size_t row = 0; row < rows; ++row, cos += half, sin += half, x += stride) {
    for (std::size_t head = 0; head < heads; ++head) {
      T* low = x + head * head_dim;
      T* high = low + half;
      each_vector(half, [&](std::size_t i, auto span) HWY_ATTR {
        const VF a = load(low + i, span), b = load(high + i, span), c = load(cos + i, span), s = load(sin + i, span);
        store(hn::NegMulAdd(b, s, hn::Mul(a, c)), low + i, span);
        store(hn::MulAdd(a, s, hn::Mul(b, c)), high + i, span);
      });
    }
  }
}
void rope_floats(float* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads,
                 std::size_t head_dim, std::size_t stride) {
  rotate(x, cos, sin, rows, heads, head_dim, stride);
}
void rope_bf16(Bf16* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
               std::size_t stride) {
  rotate(x, cos, sin, rows, heads, head_dim, stride);
}

template <class T>
void gate_by_silu(T* gate, const T* up, std::size_t n) {
  each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
    const VF x = load(gate + i, span), one = hn::Set(F32(), 1);
    store(hn::Mul(hn::Div(x, hn::Add(one, exp(hn::Neg(x)))), load(up + i, span)), gate + i, span);
  });
}
void silu_mul_floats(float* gate, const float* up, std::size_t n) { gate_by_silu(gate, up, n); }
void silu_mul_bf16(Bf16* gate, const Bf16* up, std::size_t n) { gate_by_silu(gate, up, n); }

template <class T>
void extend_log_sum_exp(const T* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max,
                        float* sum) {
  for (std::size_t row = 0; row < rows; ++row, logits += stride) {
    VF largest = hn::Set(F32(), max[row]);
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      VF x = load(logits + i, span);
      if constexpr (std::is_same_v<decltype(span),
                                   Part>) {  // a part's empty lanes are 0, which may be above every logit
        x = hn::IfThenElse(hn::FirstN(F32(), span.n), x, largest);
      }
      largest = hn::Max(largest, x);
    });
    const float top = hn::GetLane(hn::MaxOfLanes(F32(), largest));
    const float shift = top == -HUGE_VALF ? 0 : top;  // nothing but -infinity so far: every term is 0
    VF terms = hn::Zero(F32());
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      VF term = exp(hn::Sub(load(logits + i, span), hn::Set(F32(), shift)));
      if constexpr (std::is_same_v<decltype(span), Part>) term = hn::IfThenElseZero(hn::FirstN(F32(), span.n), term);
      terms = hn::Add(terms, term);
    });
    const float before = sum[row] == 0 ? 0 : sum[row] * std::exp(max[row] - shift);
    sum[row] = before + sum_lanes(terms);
    max[row] = top;
  }
}
void log_sum_exp_floats(const float* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max,
                        float* sum) {
  extend_log_sum_exp(logits, rows, cols, stride, max, sum);
}
void log_sum_exp_bf16(const Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max,
                      float* sum) {
  extend_log_sum_exp(logits, rows, cols, stride, max, sum);
}

void causal_softmax_floats(float* p, std::size_t rows, std::size_t cols, std::size_t stride, std::size_t visible,
                           float scale) {
  for (std::size_t row = 0; row < rows; ++row, p += stride) {
    const std::size_t n = std::min(cols, visible + row);
    VF largest = hn::Set(F32(), p[0]);
    each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
      VF x = load(p + i, span);
      if constexpr (std::is_same_v<decltype(span), Part>) x = hn::IfThenElse(hn::FirstN(F32(), span.n), x, largest);
      largest = hn::Max(largest, x);
    });
    const VF factor = hn::Set(F32(), scale), shift = hn::Set(F32(), hn::GetLane(hn::MaxOfLanes(F32(), largest)));
    VF sum = hn::Zero(F32());
    each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
      VF term = exp(hn::Mul(factor, hn::Sub(load(p + i, span), shift)));
      if constexpr (std::is_same_v<decltype(span), Part>) term = hn::IfThenElseZero(hn::FirstN(F32(), span.n), term);
      store(term, p + i, span);
      sum = hn::Add(sum, term);
    });
    const VF inverse = hn::Set(F32(), 1 / sum_lanes(sum));
    each_vector(n, [&](std::size_t i, auto span) HWY_ATTR { store(hn::Mul(load(p + i, span), inverse), p + i, span); });
    std::fill(p + n, p + cols, 0.0f);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(bf16_to_float);
HWY_EXPORT(float_to_bf16);
HWY_EXPORT(add_floats);
HWY_EXPORT(add_bf16);
HWY_EXPORT(add_bf16_to_bf16);
HWY_EXPORT(rms_norm_floats);
HWY_EXPORT(rms_norm_bf16);
HWY_EXPORT(rope_floats);
HWY_EXPORT(rope_bf16);
HWY_EXPORT(silu_mul_floats);
HWY_EXPORT(silu_mul_bf16);
HWY_EXPORT(log_sum_exp_floats);
HWY_EXPORT(log_sum_exp_bf16);
HWY_EXPORT(causal_softmax_floats);

void to_float(const Bf16* from, float* to, std::size_t n) { FRUGAL_DISPATCH(bf16_to_float)(from, to, n); }
void to_bf16(const float* from, Bf16* to, std::size_t n) { FRUGAL_DISPATCH(float_to_bf16)(from, to, n); }
void add(float* h, const float* y, std::size_t n) { FRUGAL_DISPATCH(add_floats)(h, y, n); }
void add(float* h, const Bf16* y, std::size_t n) { FRUGAL_DISPATCH(add_bf16)(h, y, n); }
void add(Bf16* h, const Bf16* y, std::size_t n) { FRUGAL_DISPATCH(add_bf16_to_bf16)(h, y, n); }
void rms_norm(const float* h, const float* gain, float* out, std::size_t rows, std::size_t cols, float eps) {
  FRUGAL_DISPATCH(rms_norm_floats)(h, gain, out, rows, cols, eps);
}
void rms_norm(const float* h, const float* gain, Bf16* out, std::size_t rows, std::size_t cols, float eps) {
  FRUGAL_DISPATCH(rms_norm_bf16)(h, gain, out, rows, cols, eps);
}
void rope(float* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
          std::size_t stride) {
  FRUGAL_DISPATCH(rope_floats)(x, cos, sin, rows, heads, head_dim, stride);
}
void rope(Bf16* x, const float* cos, const float* sin, std::size_t rows, std::size_t heads, std::size_t head_dim,
          std::size_t stride) {
  FRUGAL_DISPATCH(rope_bf16)(x, cos, sin, rows, heads, head_dim, stride);
}
void silu_mul(float* gate, const float* up, std::size_t n) { FRUGAL_DISPATCH(silu_mul_floats)(gate, up, n); }
void silu_mul(Bf16* gate, const Bf16* up, std::size_t n) { FRUGAL_DISPATCH(silu_mul_bf16)(gate, up, n); }
void log_sum_exp(const float* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max, float* sum) {
  FRUGAL_DISPATCH(log_sum_exp_floats)(logits, rows, cols, stride, max, sum);
}
void log_sum_exp(const Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride, float* max, float* sum) {
  FRUGAL_DISPATCH(log_sum_exp_bf16)(logits, rows, cols, stride, max, sum);
}
void causal_softmax(float* p, std::size_t rows, std::size_t cols, std::size_t stride, std::size_t visible,
                    float scale) {
  FRUGAL_DISPATCH(causal_softmax_floats)(p, rows, cols, stride, visible, scale);
}

}  // namespace frugal::kernels
#endif
