#include "frugal/core/kernels/bf16_attention.h"

#include <cmath>
#include <string>

#include "frugal/base/error.h"
#include "frugal/core/kernels/backward.h"
#include "frugal/core/kernels/bf16_product.h"

namespace frugal::kernels {

#ifdef __x86_64__
using namespace bf16_product;  // NOLINT: private to bf16_*.cpp

namespace {

void require_shape(const Bf16AttentionShape& s) {
  if (s.queries > 0 && s.keys >= s.queries && s.head_dim % 2 == 0) return;
  throw Error(Exit::internal,
              "attention over " + std::to_string(s.queries) + " queries, " + std::to_string(s.keys) +
                  " keys and a head size of " + std::to_string(s.head_dim) +
                  ", expected at least as many keys as queries and an even size",
              "report this");
}

// [rows, columns] of x as [columns, kept], the columns behind `rows` zero; kept even.
void transpose(const Bf16* x, std::size_t rows, std::size_t columns, std::size_t stride, Bf16* out, std::size_t kept) {
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t r = 0; r < rows; ++r) out[c * kept + r] = x[r * stride + c];
    std::fill(out + c * kept + rows, out + (c + 1) * kept, Bf16{0});
  }
}

}  // namespace

void bf16_attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, const Bf16AttentionShape& s) {
  require_shape(s);
  const std::size_t D = s.head_dim, width = round_up(D, kLanes), all = round_up(s.keys, kLanes),
                    block = query_block(all);
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  Room room;
  auto* const packed_keys = room.take<Pair>(D / 2 * all);
  auto* const packed_values = room.take<Pair>(all / 2 * width);
  auto* const p = room.take<float>(block * all);
  auto* const p_bf16 = room.take<Bf16>(block * all);
  auto* const y = room.take<float>(block * width);
  pack_transposed(k, s.keys, D, s.kv_stride, packed_keys);
  pack(v, s.keys, D, s.kv_stride, packed_values);
  for (std::size_t begin = 0; begin < s.queries; begin += block) {
    const std::size_t rows = std::min(block, s.queries - begin), visible = s.keys - s.queries + begin + 1,
                      seen = round_up(visible + rows - 1, kLanes), stride = std::min(all, round_up(seen, kPanel));
    for (std::size_t head = 0; head < s.heads; ++head) {
      product(q + begin * s.q_stride + head * D, s.q_stride, packed_keys, D, all, p, stride, rows, D, seen);
      causal_softmax(p, rows, seen, stride, visible, scale);
      to_bf16(p, p_bf16, rows * stride);
      product(p_bf16, stride, packed_values, all, width, y, width, rows, seen, width);
      for (std::size_t r = 0; r < rows; ++r) to_bf16(y + r * width, out + (begin + r) * s.out_stride + head * D, D);
    }
  }
}

void bf16_attention_backward(const Bf16* q, const Bf16* k, const Bf16* v, const Bf16* dout, float* dq, float* dk,
                             float* dv, const Bf16AttentionShape& s) {
  require_shape(s);
  const std::size_t D = s.head_dim, width = round_up(D, kLanes), all = round_up(s.keys, kLanes),
                    block = query_block(all), kept = round_up(block, kLanes);
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  Room room;
  auto* const keys_across = room.take<Pair>(D / 2 * all);
  auto* const values_across = room.take<Pair>(D / 2 * all);
  auto* const keys = room.take<Pair>(all / 2 * width);
  auto* const p = room.take<float>(block * all);
  auto* const dp = room.take<float>(block * all);
  auto* const rounded = room.take<Bf16>(block * all);        // p, then dp
  auto* const pairs = room.take<Pair>(kept / 2 * all);       // the same, two queries together
  auto* const across = room.take<Bf16>(D * kept);            // dout, then q
  auto* const of_queries = room.take<float>(block * width);  // dq of a block
  auto* const of_keys = room.take<float>(D * all);           // dk^T
  auto* const of_values = room.take<float>(D * all);         // dv^T
  pack_transposed(k, s.keys, D, s.kv_stride, keys_across);
  pack_transposed(v, s.keys, D, s.kv_stride, values_across);
  pack(k, s.keys, D, s.kv_stride, keys);
  std::fill_n(of_keys, D * all, 0.0f);
  std::fill_n(of_values, D * all, 0.0f);
  // to[D, keys] += x^T of, x [rows, D], of [rows, stride].
  const auto add_product = [&](const Bf16* x, std::size_t x_stride, const float* of, std::size_t rows,
                               std::size_t stride, float* to) {
    to_bf16(of, rounded, rows * stride);
    pack(rounded, rows, stride, stride, pairs);
    transpose(x, rows, D, x_stride, across, kept);
    product(across, kept, pairs, round_up(rows, kLanes), stride, to, all, D, round_up(rows, 2), stride, true);
  };
  for (std::size_t begin = 0; begin < s.queries; begin += block) {
    const std::size_t rows = std::min(block, s.queries - begin), visible = s.keys - s.queries + begin + 1,
                      seen = round_up(visible + rows - 1, kLanes), stride = std::min(all, round_up(seen, kPanel));
    for (std::size_t head = 0; head < s.heads; ++head) {
      const Bf16 *query = q + begin * s.q_stride + head * D, *gradient = dout + begin * s.out_stride + head * D;
      product(query, s.q_stride, keys_across, D, all, p, stride, rows, D, seen);
      causal_softmax(p, rows, stride, stride, visible, scale);
      add_product(gradient, s.out_stride, p, rows, stride, of_values);
      product(gradient, s.out_stride, values_across, D, all, dp, stride, rows, D, seen);
      softmax_backward(p, dp, rows, stride, stride, scale);
      add_product(query, s.q_stride, dp, rows, stride, of_keys);  // leaves dp rounded
      product(rounded, stride, keys, all, width, of_queries, width, rows, seen, width);
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(of_queries + r * width, D, dq + (begin + r) * s.q_stride + head * D);
    }
  }
  for (std::size_t j = 0; j < s.keys; ++j) {
    for (std::size_t d = 0; d < D; ++d) {
      dk[j * s.kv_stride + d] += of_keys[d * all + j];
      dv[j * s.kv_stride + d] += of_values[d * all + j];
    }
  }
}

#else

void bf16_attention(const Bf16*, const Bf16*, const Bf16*, Bf16*, const Bf16AttentionShape&) {
  throw Error(Exit::internal, "attention by AVX512-BF16 is asked for on another processor", "report this");
}

void bf16_attention_backward(const Bf16*, const Bf16*, const Bf16*, const Bf16*, float*, float*, float*,
                             const Bf16AttentionShape& s) {
  bf16_attention(nullptr, nullptr, nullptr, nullptr, s);
}

#endif

}  // namespace frugal::kernels
