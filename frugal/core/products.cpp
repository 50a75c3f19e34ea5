#include "frugal/core/products.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/core/InferenceMode.h>

#include "frugal/base/processor.h"

namespace frugal {
namespace {

using kernels::Bf16;

template <class T>
constexpr at::ScalarType scalar_type = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;

template <class T>
at::Tensor matrix(const T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return at::from_blob(const_cast<T*>(data), {rows, cols}, {stride, 1}, at::TensorOptions(scalar_type<T>));
}

template <class T>
void linear_of(const T* x, const T* w, T* y, const LinearShape& s) {
  const c10::InferenceMode guard;
  at::Tensor out = matrix(y, s.n, s.m, s.y_stride);
  at::mm_out(out, matrix(x, s.n, s.k, s.x_stride), matrix(w, s.m, s.k, s.k).t());
}

template <class T>
void attention_of(const T* q, const T* k, const T* v, T* out, const AttentionShape& s) {
  const c10::InferenceMode guard;
  const auto heads_first = [&](const T* data, std::int64_t rows, std::int64_t heads, std::int64_t stride) {
    return at::from_blob(const_cast<T*>(data), {1, heads, rows, s.head_dim}, {rows * stride, s.head_dim, stride, 1},
                         at::TensorOptions(scalar_type<T>));
  };
  std::optional<at::Tensor> mask;
  if (s.keys != s.queries && s.queries > 1) {
    mask = at::ones({s.queries, s.keys}, at::kBool).tril_(s.keys - s.queries);
  }
  const at::Tensor result = at::scaled_dot_product_attention(
      heads_first(q, s.queries, s.heads, s.q_stride), heads_first(k, s.keys, s.kv_heads, s.kv_stride),
      heads_first(v, s.keys, s.kv_heads, s.kv_stride), mask, 0.0, s.keys == s.queries && s.queries > 1, std::nullopt,
      s.heads != s.kv_heads);
  heads_first(out, s.queries, s.heads, s.out_stride).copy_(result);
}

}  // namespace

void single_threaded_torch() { at::set_num_threads(1); }

Compute best_compute() { return computes_in_bf16() ? Compute::bf16 : Compute::f32; }

const char* name(Compute compute) { return compute == Compute::bf16 ? "bf16" : "f32"; }

void linear(const float* x, const float* w, float* y, const LinearShape& s) { linear_of(x, w, y, s); }
void linear(const Bf16* x, const Bf16* w, Bf16* y, const LinearShape& s) { linear_of(x, w, y, s); }
void attention(const float* q, const float* k, const float* v, float* out, const AttentionShape& s) { attention_of(q, k, v, out, s); }
void attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const AttentionShape& s) { attention_of(q, k, v, out, s); }

}  // namespace frugal
