// Attention by AVX512-BF16 against sums in fp64, in buffers of exactly the size that is named: about the edges of
// vectors, panels, tiles and blocks of queries.
#include "frugal/core/kernels/bf16_attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frugal/base/error.h"
#include "frugal/core/kernels/tests/rows.h"

namespace frugal::kernels {
namespace {

class Bf16Attention : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_run_bf16_products()) GTEST_SKIP() << "no AVX512-BF16 here";
  }
};

TEST_F(Bf16Attention, IsTheSumInAnyShape) {
  struct Case {
    std::size_t queries, keys, heads, head_dim;
  };
  for (const Case& c : {Case{1, 1, 1, 2}, Case{5, 5, 2, 6}, Case{6, 16, 3, 16}, Case{7, 17, 1, 24}, Case{48, 48, 2, 64},
                        Case{49, 63, 3, 64}, Case{64, 64, 1, 80}, Case{97, 129, 2, 128}, Case{30, 4000, 1, 32},
                        Case{26, 8000, 1, 34}}) {
    const std::size_t D = c.head_dim, out_stride = c.heads * D + 5;
    const Rows q(c.queries, c.heads * D, c.heads * D + 3, 1), k(c.keys, D, D + 7, 2), v(c.keys, D, D + 7, 3);
    const Bf16 untouched{0x1234};
    std::vector<Bf16> out((c.queries - 1) * out_stride + c.heads * D, untouched);
    bf16_attention(q.bits.data(), k.bits.data(), v.bits.data(), out.data(),
                   {c.queries, c.keys, c.heads, D, q.stride, k.stride, out_stride});
    for (std::size_t i = 0; i < c.queries; ++i) {
      for (std::size_t h = 0; h < c.heads; ++h) {
        std::vector<double> sums(D, 0.0);
        double total = 0, squares = 0;
        for (std::size_t j = 0; j <= c.keys - c.queries + i; ++j) {
          double score = 0;
          for (std::size_t d = 0; d < D; ++d) score += q.at(i, h * D + d) * k.at(j, d);
          const double p = std::exp(score / std::sqrt(static_cast<double>(D)));
          total += p, squares += p * p;
          for (std::size_t d = 0; d < D; ++d) sums[d] += p * v.at(j, d);
        }
        for (std::size_t d = 0; d < D; ++d) {
          float found = 0;
          to_float(&out[i * out_stride + h * D + d], &found, 1);
          const double expected = sums[d] / total;
          ASSERT_NEAR(found, expected, 0.005 * std::abs(expected) + 0.01 * std::sqrt(squares) / total)
              << c.queries << " queries, " << c.keys << " keys: query " << i << ", head " << h << ", " << d;
        }
      }
      for (std::size_t gap = c.heads * D; gap < out_stride && i + 1 < c.queries; ++gap)
        ASSERT_EQ(out[i * out_stride + gap].bits, untouched.bits) << "between rows";
    }
  }
}

// Gradients of <dout, out> by the formulas, in fp64; the sums of dk and dv go on from what is there.
TEST_F(Bf16Attention, GradientIsThatOfTheSum) {
  struct Case {
    std::size_t queries, keys, heads, head_dim;
  };
  for (const Case& c : {Case{1, 1, 1, 2}, Case{5, 5, 2, 6}, Case{7, 17, 1, 24}, Case{48, 48, 2, 64},
                        Case{49, 63, 3, 64}, Case{97, 129, 2, 128}, Case{31, 3000, 1, 34}}) {
    const std::size_t D = c.head_dim, Q = c.heads * D;
    const Rows q(c.queries, Q, Q + 3, 1), k(c.keys, D, D + 7, 2), v(c.keys, D, D + 7, 3), dout(c.queries, Q, Q + 5, 4);
    std::vector<float> dq(q.bits.size(), 0x1p-10f), dk(k.bits.size(), 2.0f), dv(v.bits.size(), -1.0f);
    bf16_attention_backward(q.bits.data(), k.bits.data(), v.bits.data(), dout.bits.data(), dq.data(), dk.data(),
                            dv.data(), {c.queries, c.keys, c.heads, D, q.stride, k.stride, dout.stride});
    std::vector<double> of_q(dq.size(), 0x1p-10), of_k(dk.size(), 2), of_v(dv.size(), -1);
    const double scale = 1 / std::sqrt(static_cast<double>(D));
    for (std::size_t i = 0; i < c.queries; ++i) {
      const std::size_t seen = c.keys - c.queries + i + 1;
      for (std::size_t h = 0; h < c.heads; ++h) {
        std::vector<double> p(seen), dp(seen);
        double total = 0, mean = 0;
        for (std::size_t j = 0; j < seen; ++j) {
          double score = 0;
          for (std::size_t d = 0; d < D; ++d) {
            score += q.at(i, h * D + d) * k.at(j, d);
            dp[j] += dout.at(i, h * D + d) * v.at(j, d);
          }
          total += p[j] = std::exp(scale * score);
        }
        for (std::size_t j = 0; j < seen; ++j) mean += (p[j] /= total) * dp[j];
        for (std::size_t d = 0; d < D; ++d) of_q[i * q.stride + h * D + d] = 0;
        for (std::size_t j = 0; j < seen; ++j) {
          const double ds = scale * p[j] * (dp[j] - mean);
          for (std::size_t d = 0; d < D; ++d) {
            of_q[i * q.stride + h * D + d] += ds * k.at(j, d);
            of_k[j * k.stride + d] += ds * q.at(i, h * D + d);
            of_v[j * k.stride + d] += p[j] * dout.at(i, h * D + d);
          }
        }
      }
    }
    const auto expect_near = [&](const std::vector<float>& found, const std::vector<double>& expected, double start,
                                 const char* name) {
      double error = 0, size = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        error += (found[i] - expected[i]) * (found[i] - expected[i]);
        size += (expected[i] - start) * (expected[i] - start);
      }
      EXPECT_LE(std::sqrt(error), 0.006 * std::sqrt(size) + 1e-6) << name << ": " << c.queries << " " << c.keys;
    };
    expect_near(dq, of_q, 0, "dq");  // what lies between rows is what it was
    expect_near(dk, of_k, 2, "dk");
    expect_near(dv, of_v, -1, "dv");
  }
}

TEST_F(Bf16Attention, RefusesShapesThatCannotBe) {
  const Rows x(4, 8, 8, 1);
  std::vector<Bf16> out(32);
  const auto run = [&](std::size_t queries, std::size_t keys, std::size_t head_dim) {
    bf16_attention(x.bits.data(), x.bits.data(), x.bits.data(), out.data(), {queries, keys, 1, head_dim, 8, 8, 8});
  };
  EXPECT_THROW(run(0, 0, 8), Error);
  EXPECT_THROW(run(3, 2, 8), Error);
  EXPECT_THROW(run(2, 2, 7), Error);
}

}  // namespace
}  // namespace frugal::kernels
