// Estimates against a second implementation: all rewards kept, sums in long double.
#include "frugal/decide/bandit/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frugal/decide/bandit/action_set.h"
#include "frugal/decide/bandit/random.h"

namespace frugal::bandit {
namespace {

constexpr Stream kStream = named_stream("bandit.test");

// Correlated normal rewards: mean + sd (common + own) / sqrt(2).
std::vector<double> reward(std::uint64_t t, std::int32_t d, double mean, double sd) {
  std::vector<double> y;
  const double common = normal(philox_key(3, t), 1000, kStream);
  for (std::int32_t i = 0; i < d; ++i)
    y.push_back(mean + sd * (common + normal(philox_key(3, t), static_cast<std::uint64_t>(i), kStream)) / std::sqrt(2));
  return y;
}

TEST(Statistics, CovarianceIsTheSampleCovarianceOfFullObservations) {
  constexpr std::int32_t d = 4;
  constexpr std::uint64_t n = 100'000;
  Statistics s(d, true);
  std::vector<std::vector<double>> all;
  for (std::uint64_t t = 0; t < n; ++t) {
    all.push_back(reward(t, d, 0.5, 0.1));
    s.add(std::vector<std::int32_t>{0, 1, 2, 3}, all.back());
  }
  for (std::int32_t i = 0; i < d; ++i) {
    for (std::int32_t j = 0; j < d; ++j) {
      long double a = 0, b = 0, product = 0;
      for (const auto& y : all) a += y[static_cast<std::size_t>(i)], b += y[static_cast<std::size_t>(j)];
      a /= n, b /= n;
      for (const auto& y : all) product += (y[static_cast<std::size_t>(i)] - a) * (y[static_cast<std::size_t>(j)] - b);
      EXPECT_NEAR(s.covariance(i, j), static_cast<double>(product / n), 1e-12);
      // Truth: 0.01 on the diagonal, 0.005 beside it; a standard error is at most sqrt(2) 0.01 / sqrt(n).
      EXPECT_NEAR(s.covariance(i, j), i == j ? 0.01 : 0.005, 3 * std::sqrt(2.0 / n) * 0.01);
    }
  }
}

TEST(Statistics, LargeMeansKeepTheDigitsOfTheSpread) {
  Statistics s(2, true);
  long double a = 0, b = 0;
  std::vector<std::vector<double>> all;
  for (std::uint64_t t = 0; t < 20'000; ++t) {
    all.push_back(reward(t, 2, 1e6, 1));
    a += all.back()[0], b += all.back()[1];
    s.add(std::vector<std::int32_t>{0, 1}, all.back());
  }
  const long double n = static_cast<long double>(all.size());
  long double product = 0, square = 0;
  for (const auto& y : all) product += (y[0] - a / n) * (y[1] - b / n), square += (y[0] - a / n) * (y[0] - a / n);
  EXPECT_NEAR(s.covariance(0, 1) / static_cast<double>(product / n), 1, 1e-6);
  EXPECT_NEAR(s.variance(0) / static_cast<double>(square / n), 1, 1e-6);
  EXPECT_NEAR(s.mean(0), static_cast<double>(a / n), 1e-9);
}

// Sigma^_ij = (1/n_ij) sum over joint rounds less the product of the means of all rounds, counted from the first
// reward.
TEST(Statistics, PairsPlayedSeldomTogetherFollowTheFormula) {
  Statistics s(3, true);
  const std::vector<Items> plays = {{0, 1}, {0, 2}, {0, 1}, {1, 2}, {0, 2}, {0, 1}};
  double joint = 0, mean0 = 0, mean1 = 0, first0 = 0, first1 = 0, n01 = 0, n0 = 0, n1 = 0;
  for (std::size_t t = 0; t < plays.size(); ++t) {
    std::vector<double> y;
    for (const auto i : plays[t]) y.push_back(reward(t, 3, 0.5, 0.2)[static_cast<std::size_t>(i)]);
    s.add(plays[t], y);
    if (t == 0) first0 = y[0], first1 = y[1];
    if (plays[t][0] == 0) mean0 += y[0] - first0, ++n0;
    if (plays[t] == Items{0, 1}) joint += (y[0] - first0) * (y[1] - first1), ++n01, mean1 += y[1] - first1, ++n1;
    if (plays[t] == Items{1, 2}) mean1 += y[0] - first1, ++n1;
  }
  EXPECT_EQ(s.plays(0, 1), n01);
  EXPECT_EQ(s.plays(1, 0), n01);
  EXPECT_EQ(s.plays(0), 5);
  EXPECT_NEAR(s.covariance(0, 1), joint / n01 - mean0 / n0 * (mean1 / n1), 1e-15);
  EXPECT_EQ(s.covariance(0, 1), s.covariance(1, 0));
}

}  // namespace
}  // namespace frugal::bandit
