#include "frugal/core/attention_backward.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "frugal/core/kernels/backward.h"
#include "frugal/core/kernels/bf16_attention.h"

namespace frugal {
namespace {

at::Tensor matrix(const float* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return at::from_blob(const_cast<float*>(data), {rows, cols}, {stride, 1}, at::TensorOptions(at::kFloat));
}

}  // namespace

void attention_backward(const float* q, const float* k, const float* v, const float* dout, float* dq, float* dk,
                        float* dv, const AttentionBackwardShape& s, Buffer& scratch) {
  const c10::InferenceMode guard;
  const std::int64_t D = s.head_dim, group = s.heads / s.kv_heads, block = std::min(kQueryBlock, s.queries);
  scratch.grow(static_cast<std::size_t>(2 * block * s.keys) * sizeof(float));
  float* p_data = scratch.as<float>();
  float* dp_data = p_data + block * s.keys;
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  for (std::int64_t begin = 0; begin < s.queries; begin += block) {
    const std::int64_t rows = std::min(block, s.queries - begin), visible = s.keys - s.queries + begin + 1,
                       keys = visible + rows - 1;
    for (std::int64_t head = 0; head < s.heads; ++head) {
      const std::int64_t at = begin * s.q_stride + head * D, kv = head / group * D;
      const at::Tensor query = matrix(q + at, rows, D, s.q_stride), key = matrix(k + kv, keys, D, s.kv_stride);
      const at::Tensor value = matrix(v + kv, keys, D, s.kv_stride), out = matrix(dout + at, rows, D, s.q_stride);
      at::Tensor p = matrix(p_data, rows, keys, keys), dp = matrix(dp_data, rows, keys, keys);
      at::Tensor of_query = matrix(dq + at, rows, D, s.q_stride), of_key = matrix(dk + kv, keys, D, s.kv_stride);
      at::Tensor of_value = matrix(dv + kv, keys, D, s.kv_stride);
      const auto r = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(keys);
      at::mm_out(p, query, key.t());
      kernels::causal_softmax(p_data, r, c, c, static_cast<std::size_t>(visible), scale);
      at::addmm_out(of_value, of_value, p.t(), out);
      at::mm_out(dp, out, value.t());
      kernels::softmax_backward(p_data, dp_data, r, c, c, scale);
      at::mm_out(of_query, dp, key);
      at::addmm_out(of_key, of_key, dp.t(), query);
    }
  }
}

void attention_backward(const kernels::Bf16* q, const kernels::Bf16* k, const kernels::Bf16* v,
                        const kernels::Bf16* dout, float* dq, float* dk, float* dv, const AttentionBackwardShape& s,
                        Buffer&) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::int64_t group = s.heads / s.kv_heads;
  for (std::int64_t head = 0; head < s.kv_heads; ++head) {
    const std::int64_t at = head * s.head_dim, first = group * at;
    kernels::bf16_attention_backward(q + first, k + at, v + at, dout + first, dq + first, dk + at, dv + at,
                                     {size(s.queries), size(s.keys), size(group), size(s.head_dim), size(s.q_stride),
                                      size(s.kv_stride), size(s.q_stride)});
  }
}

}  // namespace frugal
