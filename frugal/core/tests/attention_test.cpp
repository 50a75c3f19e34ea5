// Attention against sums in fp64, in fp32 and bf16: head sizes, groups, and lengths about the edges of blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "frugal/base/philox.h"
#include "frugal/core/products.h"

namespace frugal {
namespace {

using kernels::Bf16;

// Normal enough numbers that bf16 has exactly.
std::vector<float> numbers(std::int64_t count, std::uint32_t stream) {
  PhiloxSequence random(5, Stream::initial, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values)
    value = static_cast<float>(2 * (random.uniform() + random.uniform() + random.uniform()) - 3);
  std::vector<Bf16> rounded(values.size());
  kernels::to_bf16(values.data(), rounded.data(), values.size());
  kernels::to_float(rounded.data(), values.data(), values.size());
  return values;
}

struct Case {
  std::int64_t queries, keys, heads, kv_heads, head_dim;
};

// Rows of q, k and v lie side by side as in the decoder; out has a stride of its own.
template <class T>
void expect_sums(const Case& c, double relative, double of_spread) {
  const std::int64_t Q = c.heads * c.head_dim, K = c.kv_heads * c.head_dim, W = Q + 2 * K, out_stride = Q + 3;
  const std::vector<float> all = numbers(c.keys * W, static_cast<std::uint32_t>(c.keys));
  std::vector<T> rows(all.size()), out(static_cast<std::size_t>(c.queries * out_stride));
  std::memset(out.data(), 0x5A, out.size() * sizeof(T));
  if constexpr (std::is_same_v<T, float>)
    rows = all;
  else
    kernels::to_bf16(all.data(), rows.data(), all.size());
  const std::int64_t first = c.keys - c.queries;
  attention(rows.data() + first * W, rows.data() + Q, rows.data() + Q + K, out.data(),
            {c.queries, c.keys, c.heads, c.kv_heads, c.head_dim, W, W, out_stride});
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return static_cast<double>(all[static_cast<std::size_t>(row * W + column)]);
  };
  std::vector<double> p(static_cast<std::size_t>(c.keys)), sums(static_cast<std::size_t>(c.head_dim));
  for (std::int64_t i = 0; i < c.queries; i += std::max<std::int64_t>(1, c.queries / 37)) {
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t kv = Q + h / (c.heads / c.kv_heads) * c.head_dim;
      double total = 0, squares = 0;
      sums.assign(sums.size(), 0);
      for (std::int64_t j = 0; j <= first + i; ++j) {
        double score = 0;
        for (std::int64_t d = 0; d < c.head_dim; ++d) score += at(first + i, h * c.head_dim + d) * at(j, kv + d);
        const double weight = std::exp(score / std::sqrt(static_cast<double>(c.head_dim)));
        total += weight, squares += weight * weight;
        for (std::int64_t d = 0; d < c.head_dim; ++d) sums[static_cast<std::size_t>(d)] += weight * at(j, kv + K + d);
      }
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        const T got = out[static_cast<std::size_t>(i * out_stride + h * c.head_dim + d)];
        float value = 0;
        if constexpr (std::is_same_v<T, float>)
          value = got;
        else
          kernels::to_float(&got, &value, 1);
        const double expected = sums[static_cast<std::size_t>(d)] / total;
        ASSERT_NEAR(value, expected, relative * std::abs(expected) + of_spread * std::sqrt(squares) / total)
            << "query " << i << " of " << c.queries << ", keys " << c.keys << ", head " << h << ", " << d;
      }
    }
    for (std::int64_t gap = Q; gap < out_stride; ++gap) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&out[static_cast<std::size_t>(i * out_stride + gap)]);
      ASSERT_TRUE(std::all_of(bytes, bytes + sizeof(T), [](unsigned char byte) { return byte == 0x5A; })) << gap;
    }
  }
}

TEST(Attention, IsTheSoftmaxOfTheScoresTimesTheValues) {
  single_threaded_torch();
  const auto have = kernels::isa_available();
  const bool has_avx2 = std::find(have.begin(), have.end(), "AVX2") != have.end();
  for (const Case& c :
       {Case{1, 1, 2, 2, 16}, Case{2, 2, 4, 2, 24}, Case{7, 7, 3, 1, 64}, Case{48, 48, 2, 1, 64},
        Case{49, 49, 2, 1, 64}, Case{63, 130, 6, 2, 64}, Case{128, 128, 9, 3, 64}, Case{5, 260, 2, 1, 80},
        Case{131, 131, 2, 2, 128}, Case{700, 700, 1, 1, 64}, Case{40, 3000, 1, 1, 32}}) {
    expect_sums<float>(c, 1e-5, 1e-4);
    expect_sums<Bf16>(c, 0.005, 0.015);
    if (!has_avx2) continue;
    kernels::force_isa("AVX2");  // LibTorch's, where ours would be taken
    expect_sums<Bf16>(c, 0.005, 0.015);
    kernels::force_isa("");
  }
}

// A last key that outweighs all others: its own query sees it alone, the queries before keep their bits.
TEST(Attention, SeesItsOwnKeyAndNoLaterOne) {
  single_threaded_torch();
  constexpr std::int64_t kLength = 100, kDim = 64;
  std::vector<float> all = numbers(kLength * 3 * kDim, 1);
  const auto run = [&] {
    std::vector<Bf16> rows(all.size()), out(static_cast<std::size_t>(kLength * kDim));
    kernels::to_bf16(all.data(), rows.data(), all.size());
    attention(rows.data(), rows.data() + kDim, rows.data() + 2 * kDim, out.data(),
              {kLength, kLength, 1, 1, kDim, 3 * kDim, 3 * kDim, kDim});
    return out;
  };
  const std::vector<Bf16> before = run();
  std::fill(all.end() - 3 * kDim, all.end(), 30.0f);
  const std::vector<Bf16> after = run();
  for (std::size_t i = 0; i < before.size() - kDim; ++i) ASSERT_EQ(before[i].bits, after[i].bits) << i;
  for (std::size_t i = before.size() - kDim; i < after.size(); ++i) {
    float value = 0;
    kernels::to_float(&after[i], &value, 1);
    ASSERT_EQ(value, 30.0f) << i;
  }
}

}  // namespace
}  // namespace frugal
