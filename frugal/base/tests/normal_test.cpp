#include "frugal/base/normal.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

double distribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(Normal, QuantileInvertsTheDistribution) {
  for (double p = 1.2e-10; p < 0.5; p *= 1.07) {
    const double x = normal_quantile(p);
    // dp/p = |x| dx/x * ... : a relative error of 1e-15 in x moves p by about x^2 times as much
    EXPECT_NEAR(distribution(x) / p, 1, 1e-14 * (1 + x * x)) << p;
    EXPECT_NEAR(normal_quantile(1 - p), -normal_quantile(1 - (1 - p)), 1e-13) << p;
  }
  EXPECT_EQ(normal_quantile(0.5), 0);
}

TEST(Normal, MomentsOfAStream) {
  constexpr int kCount = 400000;
  double sum = 0, squares = 0, fourth = 0;
  for (std::uint64_t block = 0; block < kCount / 4; ++block) {
    for (const std::uint32_t word : philox(9, block, 0, named_stream("test.normal"))) {
      const double x = normal_of(word);
      sum += x, squares += x * x, fourth += x * x * x * x;
    }
  }
  const double error = 5 / std::sqrt(double{kCount});  // 5 standard errors; variances of x, x^2, x^4 are 1, 2, 96
  EXPECT_NEAR(sum / kCount, 0, error);
  EXPECT_NEAR(squares / kCount, 1, error * std::sqrt(2.0));
  EXPECT_NEAR(fourth / kCount, 3, error * std::sqrt(96.0));
}

}  // namespace
}  // namespace frugal
