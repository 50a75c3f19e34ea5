// Gradients of the elementwise loops of a decoder layer; T is float or Bf16, sums in fp32. Rows are independent;
// strides in elements. The forward loops are in kernels.h.
#pragma once
#include <cstddef>
#include <cstdint>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

// For y = h / sqrt(mean(h^2) + eps) * gain: dh += the gradient of h; dgain (null: not wanted) += the gradient of the
// gain, [cols].
void rms_norm_backward(const float* h, const float* gain, const float* dy, float* dh, float* dgain, std::size_t rows,
                       std::size_t cols, float eps);
void rms_norm_backward(const float* h, const float* gain, const Bf16* dy, float* dh, float* dgain, std::size_t rows,
                       std::size_t cols, float eps);

// For y = silu(gate) * up: product <- y (null: not wanted), gate <- its gradient, up <- its gradient, from dy; n
// elements.
void silu_mul_backward(float* gate, float* up, const float* dy, float* product, std::size_t n);
void silu_mul_backward(Bf16* gate, Bf16* up, const Bf16* dy, Bf16* product, std::size_t n);

// logits[r, :] <- weight[r] * exp(logits[r, :] - log_sum_exp[r]): the dense part of the gradient of cross-entropy.
void weighted_softmax(float* logits, std::size_t rows, std::size_t cols, std::size_t stride, const float* log_sum_exp,
                      const float* weight);
void weighted_softmax(Bf16* logits, std::size_t rows, std::size_t cols, std::size_t stride, const float* log_sum_exp,
                      const float* weight);

// dp <- scale * p * (dp - sum(p * dp)), the gradient of the scores before scale, from that of the probabilities.
void softmax_backward(const float* p, float* dp, std::size_t rows, std::size_t cols, std::size_t stride, float scale);

// Dropout (Srivastava et al., JMLR 2014): out = x / (1 - p) with probability 1 - p, else 0, decided by 16 bits of
// Philox(key, Stream::dropout, tensor) for elements [first, first + n). p in [0, 1), rounded to a multiple of 2^-16.
// May be in place.
void dropout(const float* x, float* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor,
             double p);
void dropout(const Bf16* x, Bf16* out, std::uint64_t first, std::size_t n, std::uint64_t key, std::uint32_t tensor,
             double p);

// sums[c] += sum over rows of y[r, c]: the gradient of a bias.
void add_column_sums(const float* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums);
void add_column_sums(const Bf16* y, std::size_t rows, std::size_t cols, std::size_t stride, float* sums);

}  // namespace frugal::kernels
