// Linear layers of few tokens in bf16, by AVX512-BF16's dot products. oneDNN brings the weights into another order in
// every call, which many tokens pay for and few do not; here the tokens are brought into it and the weights are read as
// they lie, so nothing is gained by keeping a second copy of them in that order.
#pragma once
#include <cstddef>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

// From this many tokens on oneDNN's product is as fast.
inline constexpr std::size_t kManyTokens = 128;

// Where can_run_bf16_products(): y[n, m] = x[n, k] w[m, k]^T (+ y with `add`); rows of x and y `*_stride` elements
// apart, k even. Sums are fp32, rounded once. Allocates at most 128 * k bytes and 12 KiB.
struct Bf16LinearShape {
  std::size_t n, k, m, x_stride, y_stride;
  bool add = false;
};
void bf16_linear(const Bf16* x, const Bf16* w, Bf16* y, const Bf16LinearShape& shape);

}  // namespace frugal::kernels
