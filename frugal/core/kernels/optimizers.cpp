#include "frugal/core/kernels/optimizers.h"

#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/optimizers.cpp"
#include "hwy/foreach_target.h"

#include <type_traits>

#include "frugal/core/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// rule(i, span, w) gives the new value of the weights at i, of value w. Each write of W: fp32, bf16 with master, bf16
// by chance.
template <class Rule>
void each_weight(float* w, std::size_t n, const Bf16Write&, const Rule& rule) {
  each_vector(n, [&](std::size_t i, auto span) HWY_ATTR { store(rule(i, span, load(w + i, span)), w + i, span); });
}
template <class Rule>
void each_weight(Bf16* w, std::size_t n, const Bf16Write& write, const Rule& rule) {
  if (write.master != nullptr) {
    each_vector(n, [&](std::size_t i, auto span) HWY_ATTR {
      const VF value = rule(i, span, load(write.master + i, span));
      store(value, write.master + i, span);
      store(value, w + i, span);
    });
    return;
  }
  HWY_ALIGN std::uint32_t noise[kChunk + 16];
  each_piece(write.first, n, [&](const Piece& piece) {
    halves(write.key, write.tensor, Stream::rounding, piece, noise);
    each_vector(piece.size(), [&](std::size_t i, auto span) HWY_ATTR {
      const std::size_t at = piece.offset + i;
      const VF value = rule(at, span, load(w + at, span));
      const VU nan = hn::BitCast(U32(), hn::VecFromMask(F32(), hn::IsNaN(value)));
      store_upper(hn::Add(hn::BitCast(U32(), value), hn::AndNot(nan, hn::LoadU(U32(), noise + piece.begin + i))),
                  w + at, span);
    });
  });
}

template <class W>
void adamw_range(W* w, const float* g, float* m, float* v, std::size_t n, const AdamW& s, const Bf16Write& write) {
  const auto all = [](double x) HWY_ATTR { return hn::Set(F32(), static_cast<float>(x)); };
  const VF scale = hn::Set(F32(), s.gradient_scale), b1 = all(s.beta1), b2 = all(s.beta2);
  const VF c1 = all(1 - s.beta1), c2 = all(1 - s.beta2), eps = hn::Set(F32(), s.eps);
  const VF keep = hn::Set(F32(), 1 - s.lr * s.weight_decay),
           size = hn::Set(F32(), static_cast<float>(s.lr / s.correction1));
  const VF second = hn::Set(F32(), static_cast<float>(1 / s.correction2));
  each_weight(w, n, write, [&](std::size_t i, auto span, VF weight) HWY_ATTR {
    const VF d = hn::Mul(load(g + i, span), scale);
    const VF first = hn::Add(hn::Mul(b1, load(m + i, span)), hn::Mul(c1, d));
    const VF square = hn::Add(hn::Mul(b2, load(v + i, span)), hn::Mul(c2, hn::Mul(d, d)));
    store(first, m + i, span);
    store(square, v + i, span);
    const VF step = hn::Div(hn::Mul(size, first), hn::Add(hn::Sqrt(hn::Mul(square, second)), eps));
    return hn::Sub(hn::Mul(weight, keep), step);
  });
}
void adamw_floats(float* w, const float* g, float* m, float* v, std::size_t n, const AdamW& s) {
  adamw_range(w, g, m, v, n, s, {});
}
void adamw_bf16(Bf16* w, const float* g, float* m, float* v, std::size_t n, const AdamW& s, const Bf16Write& write) {
  adamw_range(w, g, m, v, n, s, write);
}

template <class W>
void sgd_range(W* w, const float* g, float* m, std::size_t n, const SgdMomentum& s, const Bf16Write& write) {
  const VF scale = hn::Set(F32(), s.gradient_scale), decay = hn::Set(F32(), s.weight_decay);
  const VF momentum = hn::Set(F32(), s.momentum), lr = hn::Set(F32(), s.lr);
  each_weight(w, n, write, [&](std::size_t i, auto span, VF weight) HWY_ATTR {
    const VF d = hn::Add(hn::Mul(load(g + i, span), scale), hn::Mul(decay, weight));
    const VF next = hn::Add(hn::Mul(momentum, load(m + i, span)), d);
    store(next, m + i, span);
    return hn::Sub(weight, hn::Mul(lr, next));
  });
}
void sgd_floats(float* w, const float* g, float* m, std::size_t n, const SgdMomentum& s) {
  sgd_range(w, g, m, n, s, {});
}
void sgd_bf16(Bf16* w, const float* g, float* m, std::size_t n, const SgdMomentum& s, const Bf16Write& write) {
  sgd_range(w, g, m, n, s, write);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(adamw_floats);
HWY_EXPORT(adamw_bf16);
HWY_EXPORT(sgd_floats);
HWY_EXPORT(sgd_bf16);

void adamw(float* w, const float* g, float* m, float* v, std::size_t n, const AdamW& step) {
  FRUGAL_DISPATCH(adamw_floats)(w, g, m, v, n, step);
}
void adamw(Bf16* w, const float* g, float* m, float* v, std::size_t n, const AdamW& step, const Bf16Write& write) {
  FRUGAL_DISPATCH(adamw_bf16)(w, g, m, v, n, step, write);
}
void sgd_momentum(float* w, const float* g, float* m, std::size_t n, const SgdMomentum& step) {
  FRUGAL_DISPATCH(sgd_floats)(w, g, m, n, step);
}
void sgd_momentum(Bf16* w, const float* g, float* m, std::size_t n, const SgdMomentum& step, const Bf16Write& write) {
  FRUGAL_DISPATCH(sgd_bf16)(w, g, m, n, step, write);
}

// Sixteen partial sums in fixed order; plain code, since the compiler's vectors keep that order.
double sum_of_squares(const float* x, std::size_t n) {
  double sums[16] = {};
  for (std::size_t i = 0; i < n; ++i) sums[i % 16] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace frugal::kernels
#endif
