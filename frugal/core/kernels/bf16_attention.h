// Causal attention in bf16, and its gradient, by AVX512-BF16's dot products. LibTorch's own, on a processor that has
// these and no AMX, goes through MKL, which converts to fp32 and computes there: half of this one's speed from 2,048
// tokens on. For where can_run_bf16_products().
#pragma once
#include <cstddef>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

// softmax(q k^T / sqrt(head_dim)) v for one head of keys and the `heads` queries' heads that share it; query i sees
// keys [0, keys - queries + i].
//   q, out [queries, heads, head_dim], k and v [keys, head_dim], rows `*_stride` elements apart; keys >= queries,
//   head_dim even. Probabilities are rounded to bf16, sums are fp32. Allocates 4 * keys * head_dim bytes for k and v
//   in the order in which they are read, and at most 1 MiB beside that below 8,192 keys.
struct Bf16AttentionShape {
  std::size_t queries, keys, heads, head_dim, q_stride, kv_stride, out_stride;
};
void bf16_attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const Bf16AttentionShape& shape);
// Its gradient: dq is written, with the strides of q; dk and dv, with those of k, are added to. dout has the strides of
// out. The probabilities are made again; they and the gradients of scores are rounded to bf16. Allocates 14 * keys *
// head_dim bytes and at most 2 MiB beside that below 8,192 keys.
void bf16_attention_backward(const Bf16* q, const Bf16* k, const Bf16* v, const Bf16* dout, float* dq, float* dk,
                             float* dv, const Bf16AttentionShape& shape);

}  // namespace frugal::kernels
