#include "frugal/core/kernels/backward.h"

#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/backward.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>

#include "frugal/core/kernels/exp-inl.h"
#include "frugal/core/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// Empty lanes of a Part load as 0, so they add nothing to sums of products.
template <class T>
void normalise_backward(const float* h, const float* gain, const T* dy, float* dh, float* dgain, std::size_t rows,
                        std::size_t cols, float eps) {
  for (std::size_t row = 0; row < rows; ++row, h += cols, dy += cols, dh += cols) {
    VF squares = hn::Zero(F32()), along = hn::Zero(F32());  // sum h^2, sum h gain dy
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      const VF x = load(h + i, span);
      squares = hn::MulAdd(x, x, squares);
      along = hn::MulAdd(hn::Mul(x, load(gain + i, span)), load(dy + i, span), along);
    });
    const auto n = static_cast<float>(cols);
    const float r = 1 / std::sqrt(sum_lanes(squares) / n + eps);
    const VF scale = hn::Set(F32(), r), back = hn::Set(F32(), -r * r * r * sum_lanes(along) / n);
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      const VF x = load(h + i, span), y = load(dy + i, span);
      const VF dx = hn::MulAdd(hn::Mul(y, load(gain + i, span)), scale, hn::Mul(x, back));
      store(hn::Add(load(dh + i, span), dx), dh + i, span);
      if (dgain != nullptr) store(hn::MulAdd(hn::Mul(x, scale), y, load(dgain + i, span)), dgain + i, span);
    });
  }
}
void rms_norm_backward_floats(const float* h, const float* gain, const float* dy, float* dh, float* dgain,
                              std::size_t rows, std::size_t cols, float eps) {
  normalise_backward(h, gain, dy, dh, dgain, rows, cols, eps);
}
void rms_norm_backward_bf16(const float* h, const float* gain, const Bf16* dy, float* dh, float* dgain,
                            std::size_t rows, std::size_t cols, float eps) {
  normalise_backward(h, gain, dy, dh, dgain, rows, cols, eps);
}

template <class T>
void gate_backward(T* gate, T* up, const T* dy, T* product, std::size_t n) {
  each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
    const VF g = load(gate + i, span), u = load(up + i, span), d = load(dy + i, span), one = hn::Set(F32(), 1);
    const VF sigmoid = hn::Div(one, hn::Add(one, exp(hn::Neg(g)))), silu = hn::Mul(g, sigmoid);
    if (product != nullptr) store(hn::Mul(silu, u), product + i, span);
    // silu' = sigmoid + silu (1 - sigmoid)
    const VF slope = hn::MulAdd(silu, hn::Sub(one, sigmoid), sigmoid);
    store(hn::Mul(hn::Mul(d, u), slope), gate + i, span);
    store(hn::Mul(d, silu), up + i, span);
  });
}
void silu_mul_backward_floats(float* gate, float* up, const float* dy, float* product, std::size_t n) {
  gate_backward(gate, up, dy, product, n);
}
void silu_mul_backward_bf16(Bf16* gate, Bf16* up, const Bf16* dy, Bf16* product, std::size_t n) {
  gate_backward(gate, up, dy, product, n);
}

template <class T>
void softmax_of_logits(T* logits, std::size_t rows, std::size_t cols, std::size_t stride, const float* log_sum_exp,
                       const float* weight) {
  for (std::size_t row = 0; row < rows; ++row, logits += stride) {
    const VF shift = hn::Set(F32(), log_sum_exp[row]), factor = hn::Set(F32(), weight[row]);
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      store(hn::Mul(factor, exp(hn::Sub(load(logits + i, span), shift))), logits + i, span);
    });
  }
}
void weighted_softmax_floats(float* logits, std::size_t rows, std::size_t cols, std::size_t stride,
                             const float* log_sum_exp, const float* weight) {
  softmax_of_logits(logits, rows, cols, stride, log_sum_exp, weight);
}
void weighted_softmax_bf16(Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride,
                           const float* log_sum_exp, const float* weight) {
  softmax_of_logits(logits, rows, cols, stride, log_sum_exp, weight);
}

void softmax_backward_floats(const float* p, float* dp, std::size_t rows, std::size_t cols, std::size_t stride,
                             float scale) {
  for (std::size_t row = 0; row < rows; ++row, p += stride, dp += stride) {
    VF sum = hn::Zero(F32());
    each_vector(
        cols, [&](std::size_t i, auto span) HWY_ATTR { sum = hn::MulAdd(load(p + i, span), load(dp + i, span), sum); });
    const VF mean = hn::Set(F32(), sum_lanes(sum)), factor = hn::Set(F32(), scale);
    each_vector(cols, [&](std::size_t i, auto span) HWY_ATTR {
      store(hn::Mul(hn::Mul(factor, load(p + i, span)), hn::Sub(load(dp + i, span), mean)), dp + i, span);
    });
  }
}

template <class T>
void drop(const T* x, T* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor, double p) {
  HWY_ALIGN std::uint32_t bits[kChunk + 16];
  const auto threshold = static_cast<std::int32_t>(std::lround(p * 65536));
  const VF scale = hn::Set(F32(), static_cast<float>(65536.0 / (65536.0 - threshold)));
  each_piece(first, n, [&](const Piece& piece) {
    halves(key, tensor, Stream::dropout, piece, bits);
    const T* from = x + piece.offset;
    T* to = out + piece.offset;
    each_vector(piece.size(), [&](std::size_t i, auto span) HWY_ATTR {
      const auto dropped =
          hn::Lt(hn::BitCast(I32(), hn::LoadU(U32(), bits + piece.begin + i)), hn::Set(I32(), threshold));
      store(hn::IfThenZeroElse(hn::RebindMask(F32(), dropped), hn::Mul(load(from + i, span), scale)), to + i, span);
    });
  });
}
void dropout_floats(const float* x, float* out, std::uint64_t first, std::size_t n, std::uint64_t key,
                    std::uint32_t tensor, double p) {
  drop(x, out, first, n, key, tensor, p);
}
void dropout_bf16(const Bf16* x, Bf16* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor,
                  double p) {
  drop(x, out, first, n, key, tensor, p);
}

template <class T>
void column_sums(const T* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums) {
  for (std::size_t row = 0; row < rows; ++row, y += stride) {
    each_vector(cols, [&](std::size_t i, auto span)
                          HWY_ATTR { store(hn::Add(load(sums + i, span), load(y + i, span)), sums + i, span); });
  }
}
void column_sums_floats(const float* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums) {
  column_sums(y, rows, cols, stride, sums);
}
void column_sums_bf16(const Bf16* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums) {
  column_sums(y, rows, cols, stride, sums);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(rms_norm_backward_floats);
HWY_EXPORT(rms_norm_backward_bf16);
HWY_EXPORT(silu_mul_backward_floats);
HWY_EXPORT(silu_mul_backward_bf16);
HWY_EXPORT(weighted_softmax_floats);
HWY_EXPORT(weighted_softmax_bf16);
HWY_EXPORT(softmax_backward_floats);
HWY_EXPORT(dropout_floats);
HWY_EXPORT(dropout_bf16);
HWY_EXPORT(column_sums_floats);
HWY_EXPORT(column_sums_bf16);

void rms_norm_backward(const float* h, const float* gain, const float* dy, float* dh, float* dgain, std::size_t rows,
                       std::size_t cols, float eps) {
  FRUGAL_DISPATCH(rms_norm_backward_floats)(h, gain, dy, dh, dgain, rows, cols, eps);
}
void rms_norm_backward(const float* h, const float* gain, const Bf16* dy, float* dh, float* dgain, std::size_t rows,
                       std::size_t cols, float eps) {
  FRUGAL_DISPATCH(rms_norm_backward_bf16)(h, gain, dy, dh, dgain, rows, cols, eps);
}
void silu_mul_backward(float* gate, float* up, const float* dy, float* product, std::size_t n) {
  FRUGAL_DISPATCH(silu_mul_backward_floats)(gate, up, dy, product, n);
}
void silu_mul_backward(Bf16* gate, Bf16* up, const Bf16* dy, Bf16* product, std::size_t n) {
  FRUGAL_DISPATCH(silu_mul_backward_bf16)(gate, up, dy, product, n);
}
void weighted_softmax(float* logits, std::size_t rows, std::size_t cols, std::size_t stride, const float* log_sum_exp,
                      const float* weight) {
  FRUGAL_DISPATCH(weighted_softmax_floats)(logits, rows, cols, stride, log_sum_exp, weight);
}
void weighted_softmax(Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride, const float* log_sum_exp,
                      const float* weight) {
  FRUGAL_DISPATCH(weighted_softmax_bf16)(logits, rows, cols, stride, log_sum_exp, weight);
}
void softmax_backward(const float* p, float* dp, std::size_t rows, std::size_t cols, std::size_t stride, float scale) {
  FRUGAL_DISPATCH(softmax_backward_floats)(p, dp, rows, cols, stride, scale);
}
void dropout(const float* x, float* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor,
             double p) {
  FRUGAL_DISPATCH(dropout_floats)(x, out, first, n, key, tensor, p);
}
void dropout(const Bf16* x, Bf16* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor,
             double p) {
  FRUGAL_DISPATCH(dropout_bf16)(x, out, first, n, key, tensor, p);
}
void add_column_sums(const float* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums) {
  FRUGAL_DISPATCH(column_sums_floats)(y, rows, cols, stride, sums);
}
void add_column_sums(const Bf16* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums) {
  FRUGAL_DISPATCH(column_sums_bf16)(y, rows, cols, stride, sums);
}

}  // namespace frugal::kernels
#endif
