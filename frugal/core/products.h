// Matrix products through LibTorch and attention, by it or by our kernels, one thread each: the only door to ATen on
// the forward path.
// T is float or kernels::Bf16. Sizes in elements; strides are those between rows.
#pragma once
#include <cstdint>

#include "frugal/core/buffer.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal {

// Call once in each thread that computes: products inside are single-threaded, the team above them is ours.
void single_threaded_torch();

// What computes_in_bf16() of base/processor.h says: without the instructions LibTorch's bf16 product is several times
// slower than fp32.
enum class Compute { f32, bf16 };
Compute best_compute();
const char* name(Compute compute);

// y[n, m] = x[n, k] w[m, k]^T (+ y with `add`).
struct LinearShape {
  std::int64_t n, k, m, x_stride, y_stride;
  bool add = false;
};
void linear(const float* x, const float* w, float* y, const LinearShape& shape);
void linear(const kernels::Bf16* x, const kernels::Bf16* w, kernels::Bf16* y, const LinearShape& shape);

// The gradients of linear(); the shape is that of the forward, x_stride that of dx or x, y_stride that of dy.
// dx[n, k] = dy[n, m] w[m, k] (+ dx with `add`).
void linear_input_gradient(const float* dy, const float* w, float* dx, const LinearShape& shape);
void linear_input_gradient(const kernels::Bf16* dy, const kernels::Bf16* w, kernels::Bf16* dx,
                           const LinearShape& shape);
// dw[m, k] += dy[n, m]^T x[n, k], dw in fp32, rows `dw_stride` apart. scratch: grows to one product in bf16.
void linear_weight_gradient(const float* dy, const float* x, float* dw, std::int64_t dw_stride,
                            const LinearShape& shape, Buffer& scratch);
void linear_weight_gradient(const kernels::Bf16* dy, const kernels::Bf16* x, float* dw, std::int64_t dw_stride,
                            const LinearShape& shape, Buffer& scratch);

// Grouped-query attention of one sequence, softmax(q k^T / sqrt(head_dim)) v: query i sees keys [0, keys - queries +
// i].
//   q [queries, heads, head_dim], k and v [keys, kv_heads, head_dim], out [queries, heads, head_dim]; keys >= queries.
struct AttentionShape {
  std::int64_t queries, keys, heads, kv_heads, head_dim, q_stride, kv_stride, out_stride;
};
void attention(const float* q, const float* k, const float* v, float* out, const AttentionShape& shape);
void attention(const kernels::Bf16* q, const kernels::Bf16* k, const kernels::Bf16* v, kernels::Bf16* out,
               const AttentionShape& shape);

}  // namespace frugal
