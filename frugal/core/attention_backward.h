// The gradient of causal grouped-query attention for one sequence, by blocks of queries: nothing of size queries x keys
// exists.
#pragma once
#include <cstdint>

#include "frugal/core/buffer.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal {

// For out = softmax(q k^T / sqrt(head_dim)) v, query i seeing keys [0, keys - queries + i], as attention() of
// products.h.
//   q, dout [queries, heads * head_dim], k, v [keys, kv_heads * head_dim], rows `*_stride` elements apart.
//   dq is written; dk and dv are added to. The probabilities are made again from q and k.
// scratch grows to two blocks of kQueryBlock x keys.
struct AttentionBackwardShape {
  std::int64_t queries, keys, heads, kv_heads, head_dim, q_stride, kv_stride;  // dout and dq as q, dk and dv as k
};
void attention_backward(const float* q, const float* k, const float* v, const float* dout, float* dq, float* dk,
                        float* dv, const AttentionBackwardShape& shape, Buffer& scratch);
// The same from bf16, where kernels::can_run_bf16_products().
void attention_backward(const kernels::Bf16* q, const kernels::Bf16* k, const kernels::Bf16* v,
                        const kernels::Bf16* dout, float* dq, float* dk, float* dv, const AttentionBackwardShape& shape,
                        Buffer& scratch);

inline constexpr std::int64_t kQueryBlock = 128;

}  // namespace frugal
