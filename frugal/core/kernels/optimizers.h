// First-order updates, one pass over a run of weights: gradient in, moments and weights out, no temporary of their
// size. No FMA, no libm but the correctly rounded square root: the same bits on every instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

// AdamW (arXiv:1711.05101, Algorithm 2) as torch.optim.AdamW has it:
//   w <- w (1 - lr wd);  m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - lr/(1 - b1^t) m / (sqrt(v / (1 -
//   b2^t)) + eps)
struct AdamW {
  float lr = 0, eps = 1e-8f, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, correction1 = 1, correction2 = 1;  // corrections: 1 - beta^t, t counting from 1
  float gradient_scale = 1;                                             // every gradient is taken times this (clipping)
};
// SGD with momentum as torch.optim.SGD has it (dampening 0): m <- momentum m + g + wd w;  w <- w - lr m.
struct SgdMomentum {
  float lr = 0, momentum = 0.9f, weight_decay = 0, gradient_scale = 1;
};
// How bf16 weights are written: master null: rounded stochastically with 16 bits of Philox(key, Stream::rounding,
// tensor) for the elements from `first` on. Else the fp32 master [n] takes the update and the weight is its nearest
// bf16.
struct Bf16Write {
  float* master = nullptr;
  std::uint64_t key = 0;
  std::uint32_t tensor = 0;
  std::uint64_t first = 0;
};

void adamw(float* w, const float* g, float* m, float* v, std::size_t n, const AdamW& step);
void adamw(Bf16* w, const float* g, float* m, float* v, std::size_t n, const AdamW& step, const Bf16Write& write);
void sgd_momentum(float* w, const float* g, float* m, std::size_t n, const SgdMomentum& step);
void sgd_momentum(Bf16* w, const float* g, float* m, std::size_t n, const SgdMomentum& step, const Bf16Write& write);

// Sum of squares in double, in blocks of fixed size: the same bits for every number of threads.
double sum_of_squares(const float* x, std::size_t n);

}  // namespace frugal::kernels
