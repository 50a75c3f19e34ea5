#include "frugal/core/products.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <vector>

#include "frugal/base/processor.h"
#include "frugal/core/kernels/bf16_attention.h"
#include "frugal/core/kernels/bf16_linear.h"
#include "frugal/plan/cuts.h"

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

// Rows of a matrix, [filled, cols], zeros behind the first `rows` of them.
std::vector<Bf16> padded(const Bf16* data, std::int64_t rows, std::int64_t cols, std::int64_t stride,
                         std::int64_t filled = kLeastRows) {
  std::vector<Bf16> all(static_cast<std::size_t>(filled * cols));
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(data + r * stride, cols, all.data() + r * cols);
  return all;
}

// y[n, out] = x[n, in] w (+ y with `add`), w [in, out].
template <class T>
void rows_times(const T* x, std::int64_t x_stride, const at::Tensor& w, T* y, std::int64_t y_stride, std::int64_t n,
                bool add) {
  const std::int64_t in = w.size(0), out = w.size(1);
  for (std::int64_t begin = 0, piece = 0; begin < n; begin += piece) {
    piece = std::is_same_v<T, Bf16> ? piece_of(n - begin) : n;
    if (const std::int64_t rest = n - begin; piece <= rest) {
      at::Tensor to = matrix(y + begin * y_stride, piece, out, y_stride);
      product(to, matrix(x + begin * x_stride, piece, in, x_stride), w, add);
    } else if constexpr (std::is_same_v<T, Bf16>) {
      Bf16* last = y + begin * y_stride;
      const auto from = padded(x + begin * x_stride, rest, in, x_stride);
      auto to = padded(last, add ? rest : 0, out, y_stride);
      at::Tensor result = matrix(to.data(), kLeastRows, out, out);
      product(result, matrix(from.data(), kLeastRows, in, in), w, add);
      for (std::int64_t r = 0; r < rest; ++r) std::copy_n(to.data() + r * out, out, last + r * y_stride);
    }
  }
}

template <class T>
void linear_of(const T* x, const T* w, T* y, LinearShape s) {
  const c10::InferenceMode guard;
  if constexpr (std::is_same_v<T, Bf16>) {
    const std::int64_t few = s.n % static_cast<std::int64_t>(kernels::kManyTokens), many = s.n - few;
    if (few > 0 && s.k % 2 == 0 && kernels::has_bf16_products()) {
      const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
      kernels::bf16_linear(x + many * s.x_stride, w, y + many * s.y_stride,
                           {size(few), size(s.k), size(s.m), size(s.x_stride), size(s.y_stride), s.add});
      s.n = many;
    }
  }
  rows_times(x, s.x_stride, matrix(w, s.m, s.k, s.k).t(), y, s.y_stride, s.n, s.add);
}

template <class T>
void input_gradient_of(const T* dy, const T* w, T* dx, const LinearShape& s) {
  const c10::InferenceMode guard;
  rows_times(dy, s.y_stride, matrix(w, s.m, s.k, s.k), dx, s.x_stride, s.n, s.add);
}

// Few queries: one after the other, each over the keys it sees.
template <class T>
void attend_each(const T* q, const T* k, const T* v, T* out, const AttentionShape& s) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::int64_t group = s.heads / s.kv_heads, D = s.head_dim;
  std::vector<float> query(size(s.heads * D)), result(query.size()), scores(size(group * s.keys));
  for (std::int64_t i = 0; i < s.queries; ++i) {
    const T* row = q + i * s.q_stride;
    if constexpr (std::is_same_v<T, float>)
      std::copy_n(row, query.size(), query.data());
    else
      kernels::to_float(row, query.data(), query.size());
    for (std::int64_t head = 0; head < s.kv_heads; ++head)
      kernels::attend(query.data() + group * head * D, k + head * D, v + head * D, result.data() + group * head * D,
                      size(group), size(s.keys - s.queries + i + 1), size(D), size(s.kv_stride), scores.data());
    if constexpr (std::is_same_v<T, float>)
      std::copy(result.begin(), result.end(), out + i * s.out_stride);
    else
      kernels::to_bf16(result.data(), out + i * s.out_stride, result.size());
  }
}

template <class T>
void attention_of(const T* q, const T* k, const T* v, T* out, const AttentionShape& s) {
  constexpr std::int64_t kFew = 4;  // queries, for which it does not pay to bring keys into another order
  if (s.queries <= kFew) return attend_each(q, k, v, out, s);
  const c10::InferenceMode guard;
  if constexpr (std::is_same_v<T, Bf16>) {
    if (kernels::has_bf16_products()) {
      const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
      const std::int64_t group = s.heads / s.kv_heads;
      for (std::int64_t head = 0; head < s.kv_heads; ++head) {
        const std::int64_t at = head * s.head_dim, first = group * at;
        kernels::bf16_attention(q + first, k + at, v + at, out + first,
                                {size(s.queries), size(s.keys), size(group), size(s.head_dim), size(s.q_stride),
                                 size(s.kv_stride), size(s.out_stride)});
      }
      return;
    }
    if (s.queries == s.keys && s.queries % kLeastRows != 0) {  // what is added comes later, so no query sees it
      const std::int64_t n = (s.queries + kLeastRows - 1) / kLeastRows * kLeastRows, Q = s.heads * s.head_dim,
                         K = s.kv_heads * s.head_dim;
      std::vector<Bf16> all(static_cast<std::size_t>(n * (2 * Q + 2 * K)));
      Bf16 *queries = all.data(), *keys = queries + n * Q, *values = keys + n * K, *result = values + n * K;
      for (std::int64_t r = 0; r < s.queries; ++r) {
        std::copy_n(q + r * s.q_stride, Q, queries + r * Q);
        std::copy_n(k + r * s.kv_stride, K, keys + r * K);
        std::copy_n(v + r * s.kv_stride, K, values + r * K);
      }
      attention_of(queries, keys, values, result, {n, n, s.heads, s.kv_heads, s.head_dim, Q, K, Q});
      for (std::int64_t r = 0; r < s.queries; ++r) std::copy_n(result + r * Q, Q, out + r * s.out_stride);
      return;
    }
  }
  const auto heads_first = [&](const T* data, std::int64_t rows, std::int64_t heads, std::int64_t stride) {
    return at::from_blob(const_cast<T*>(data), {1, heads, rows, s.head_dim}, {rows * stride, s.head_dim, stride, 1},
                         at::TensorOptions(scalar_type<T>));
  };
  std::optional<at::Tensor> mask;
  if (s.keys != s.queries) {
    mask = at::ones({s.queries, s.keys}, at::kBool).tril_(s.keys - s.queries);
  }
  const at::Tensor result = at::scaled_dot_product_attention(heads_first(q, s.queries, s.heads, s.q_stride),
                                                             heads_first(k, s.keys, s.kv_heads, s.kv_stride),
                                                             heads_first(v, s.keys, s.kv_heads, s.kv_stride), mask, 0.0,
                                                             s.keys == s.queries, std::nullopt, s.heads != s.kv_heads);
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
// once, or twice where their number is no multiple of kWholeTerms.
void linear_weight_gradient(const Bf16* dy, const Bf16* x, float* dw, std::int64_t dw_stride, const LinearShape& s,
                            Buffer& scratch) {
  const c10::InferenceMode guard;
  scratch.grow(static_cast<std::size_t>(s.m * s.k) * sizeof(Bf16));
  at::Tensor out = matrix(scratch.as<Bf16>(), s.m, s.k, s.k);
  const auto add = [&](const at::Tensor& a, const at::Tensor& b) {
    product(out, a.t(), b, false);
    for (std::int64_t r = 0; r < s.m; ++r)
      kernels::add(dw + r * dw_stride, scratch.as<Bf16>() + r * s.k, static_cast<std::size_t>(s.k));
  };
  const std::int64_t rest = s.n % kWholeTerms, whole = s.n - rest;
  if (whole > 0) add(matrix(dy, whole, s.m, s.y_stride), matrix(x, whole, s.k, s.x_stride));
  if (rest == 0) return;
  const std::int64_t filled =
      *std::find_if(std::begin(kLeftTerms), std::end(kLeftTerms), [&](std::int64_t terms) { return terms >= rest; });
  const auto a = padded(dy + whole * s.y_stride, rest, s.m, s.y_stride, filled),
             b = padded(x + whole * s.x_stride, rest, s.k, s.x_stride, filled);
  add(matrix(a.data(), filled, s.m, s.m), matrix(b.data(), filled, s.k, s.k));
}
void attention(const float* q, const float* k, const float* v, float* out, const AttentionShape& s) {
  attention_of(q, k, v, out, s);
}
void attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const AttentionShape& s) {
  attention_of(q, k, v, out, s);
}

}  // namespace frugal
