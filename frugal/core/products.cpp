#include "frugal/core/products.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
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

void product(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool add) {
  if (add)
    at::addmm_out(out, out, a, b);
  else
    at::mm_out(out, a, b);
}

template <class T>
void linear_of(const T* x, const T* w, T* y, const LinearShape& s) {
  const c10::InferenceMode guard;
  at::Tensor out = matrix(y, s.n, s.m, s.y_stride);
  product(out, matrix(x, s.n, s.k, s.x_stride), matrix(w, s.m, s.k, s.k).t(), s.add);
}

template <class T>
void input_gradient_of(const T* dy, const T* w, T* dx, const LinearShape& s) {
  const c10::InferenceMode guard;
  at::Tensor out = matrix(dx, s.n, s.k, s.x_stride);
  product(out, matrix(dy, s.n, s.m, s.y_stride), matrix(w, s.m, s.k, s.k), s.add);
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
void linear_input_gradient(const float* dy, const float* w, float* dx, const LinearShape& s) {
  input_gradient_of(dy, w, dx, s);
}
void linear_input_gradient(const Bf16* dy, const Bf16* w, Bf16* dx, const LinearShape& s) {
  input_gradient_of(dy, w, dx, s);
}
void linear_weight_gradient(const float* dy, const float* x, float* dw, std::int64_t dw_stride, const LinearShape& s,
                            Buffer&) {
  const c10::InferenceMode guard;
  at::Tensor out = matrix(dw, s.m, s.k, dw_stride);
  product(out, matrix(dy, s.n, s.m, s.y_stride).t(), matrix(x, s.n, s.k, s.x_stride), true);
}
// LibTorch has no bf16 product with an fp32 result on processors: the sum over this call's rows is rounded to bf16
// once.
void linear_weight_gradient(const Bf16* dy, const Bf16* x, float* dw, std::int64_t dw_stride, const LinearShape& s,
                            Buffer& scratch) {
  const c10::InferenceMode guard;
  scratch.grow(static_cast<std::size_t>(s.m * s.k) * sizeof(Bf16));
  at::Tensor out = matrix(scratch.as<Bf16>(), s.m, s.k, s.k);
  product(out, matrix(dy, s.n, s.m, s.y_stride).t(), matrix(x, s.n, s.k, s.x_stride), false);
  for (std::int64_t r = 0; r < s.m; ++r)
    kernels::add(dw + r * dw_stride, scratch.as<Bf16>() + r * s.k, static_cast<std::size_t>(s.k));
}
void attention(const float* q, const float* k, const float* v, float* out, const AttentionShape& s) {
  attention_of(q, k, v, out, s);
}
void attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const AttentionShape& s) {
  attention_of(q, k, v, out, s);
}

}  // namespace frugal
