// Linear layers by AVX512-BF16 against sums in fp64, in buffers of exactly the size that is named: about the edges of
// vectors, panels and tiles.
#include "frugal/core/kernels/bf16_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frugal/base/error.h"
#include "frugal/core/kernels/tests/rows.h"

namespace frugal::kernels {
namespace {

class Bf16Linear : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_run_bf16_products()) GTEST_SKIP() << "no AVX512-BF16 here";
  }
};

TEST_F(Bf16Linear, IsTheSumInAnyShape) {
  const Bf16 untouched{0x1234};
  for (const std::size_t n : {1u, 15u, 16u, 17u, 32u, 33u, 48u, 49u, 64u, 65u, 127u}) {
    for (const auto& [k, m] :
         {std::pair<std::size_t, std::size_t>{2, 1}, {32, 16}, {34, 47}, {62, 48}, {66, 61}, {576, 8}}) {
      const Rows x(n, k, k + 3, 1), w(m, k, k, 2), before(n, m, m + 5, 3);
      for (const bool add : {false, true}) {
        std::vector<Bf16> y = before.bits;
        for (std::size_t r = 0; r + 1 < n; ++r)
          std::fill_n(y.begin() + static_cast<std::ptrdiff_t>(r * (m + 5) + m), 5, untouched);
        bf16_linear(x.bits.data(), w.bits.data(), y.data(), {n, k, m, x.stride, before.stride, add});
        for (std::size_t r = 0; r < n; ++r) {
          for (std::size_t j = 0; j < m; ++j) {
            double sum = add ? before.at(r, j) : 0, size = std::abs(sum);
            for (std::size_t i = 0; i < k; ++i)
              sum += x.at(r, i) * w.at(j, i), size += std::abs(x.at(r, i) * w.at(j, i));
            float got;
            to_float(&y[r * (m + 5) + j], &got, 1);
            // Half a unit of bf16's last place, and the fp32 sum's own error.
            ASSERT_NEAR(got, sum, std::abs(sum) / 256 + size * 1e-6) << n << " " << k << " " << m << " " << add;
          }
          for (std::size_t j = m; r + 1 < n && j < m + 5; ++j) ASSERT_EQ(y[r * (m + 5) + j].bits, untouched.bits);
        }
      }
    }
  }
}

// Of how many tokens go through this kernel together; from kManyTokens on they go through LibTorch's.
TEST_F(Bf16Linear, ATokensResultDoesNotDependOnTheOthers) {
  constexpr std::size_t n = 100, k = 130, m = 70;
  const Rows x(n, k, k, 1), w(m, k, k, 2);
  std::vector<Bf16> all(n * m), one(m);
  bf16_linear(x.bits.data(), w.bits.data(), all.data(), {n, k, m, k, m});
  for (std::size_t r = 0; r < n; ++r) {
    bf16_linear(x.bits.data() + r * k, w.bits.data(), one.data(), {1, k, m, k, m});
    for (std::size_t j = 0; j < m; ++j) ASSERT_EQ(one[j].bits, all[r * m + j].bits) << r << " " << j;
  }
}

TEST_F(Bf16Linear, RefusesAnOddNumberOfTerms) {
  std::vector<Bf16> x(3), w(3), y(1);
  EXPECT_THROW(bf16_linear(x.data(), w.data(), y.data(), {1, 3, 1, 3, 1}), Error);
}

}  // namespace
}  // namespace frugal::kernels
