#include "frugal/prune/bonsai/torch/regression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace frugal::bonsai {
namespace {

// Complementary pairs of random masks over `units`, and utilities of a known linear model with noise.
MaskPairs pairs_of(std::size_t count, std::size_t units, const std::vector<double>& beta, double noise,
                   std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  MaskPairs pairs;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::int8_t> z(units);
    double first = 7, second = 7;
    for (std::size_t u = 0; u < units; ++u) {
      z[u] = random() % 2 == 1 ? 1 : -1;
      (z[u] > 0 ? first : second) += beta[u];
    }
    pairs.z.push_back(z);
    pairs.first.push_back(first + noise * normal(random));
    pairs.second.push_back(second + noise * normal(random));
  }
  return pairs;
}

std::vector<double> truth(std::size_t units) {
  std::mt19937_64 random(5);
  std::vector<double> beta(units);
  for (double& b : beta) b = std::normal_distribution<double>()(random);
  return beta;
}

// Solves A x = b by elimination with pivots.
std::vector<double> solve(std::vector<std::vector<double>> A, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i) {
      if (std::abs(A[i][k]) > std::abs(A[pivot][k])) pivot = i;
    }
    std::swap(A[k], A[pivot]), std::swap(b[k], b[pivot]);
    for (std::size_t i = k + 1; i < n; ++i) {
      const double f = A[i][k] / A[k][k];
      for (std::size_t j = k; j < n; ++j) A[i][j] -= f * A[k][j];
      b[i] -= f * b[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= A[k][j] * b[j];
    b[k] /= A[k][k];
  }
  return b;
}

// Ridge with an intercept that is not penalised, over all masks one by one: the normal equations.
std::vector<double> primal(const MaskPairs& pairs, double gamma) {
  const std::size_t N = pairs.z[0].size();
  std::vector<std::vector<double>> A(N + 1, std::vector<double>(N + 1));
  std::vector<double> b(N + 1);
  for (std::size_t i = 0; i < pairs.z.size(); ++i) {
    for (const bool is_first : {true, false}) {
      std::vector<double> z(N + 1, 1);
      for (std::size_t u = 0; u < N; ++u) z[u] = (is_first ? 0.5 : -0.5) * pairs.z[i][u];
      for (std::size_t u = 0; u <= N; ++u) {
        for (std::size_t v = 0; v <= N; ++v) A[u][v] += z[u] * z[v];
        b[u] += z[u] * (is_first ? pairs.first[i] : pairs.second[i]);
      }
    }
  }
  for (std::size_t u = 0; u < N; ++u) A[u][u] += gamma;
  std::vector<double> beta = solve(A, b);
  beta.pop_back();
  return beta;
}

TEST(Regression, RecoversALinearUtility) {
  const std::vector<double> beta = truth(12);
  const Fit fit = ridge(pairs_of(60, 12, beta, 0, 1), 1e-9);
  for (std::size_t u = 0; u < beta.size(); ++u) EXPECT_NEAR(fit.beta[u], beta[u], 1e-6);
}

// The dual over differences of pairs, with the penalty doubled, is ridge over all masks; also with more units than
// masks.
TEST(Regression, DifferencesOfPairsAreTheWholeRidge) {
  for (const std::size_t units : {9u, 40u}) {
    const MaskPairs pairs = pairs_of(15, units, truth(units), 0.3, 2);
    for (const double gamma : {0.01, 1.0, 100.0}) {
      const Fit fit = ridge(pairs, gamma);
      const std::vector<double> expected = primal(pairs, gamma);
      for (std::size_t u = 0; u < units; ++u) EXPECT_NEAR(fit.beta[u], expected[u], 1e-8) << gamma;
    }
  }
}

TEST(Regression, TheLeaveOneOutShortcutIsRefitting) {
  const MaskPairs pairs = pairs_of(20, 30, truth(30), 0.5, 3);
  const Fit fit = ridge(pairs, 2.0);
  for (std::size_t i = 0; i < pairs.z.size(); ++i) {
    MaskPairs rest = pairs;
    rest.z.erase(rest.z.begin() + static_cast<std::ptrdiff_t>(i));
    rest.first.erase(rest.first.begin() + static_cast<std::ptrdiff_t>(i));
    rest.second.erase(rest.second.begin() + static_cast<std::ptrdiff_t>(i));
    const Fit without = ridge(rest, 2.0);
    double predicted = 0;
    for (std::size_t u = 0; u < 30; ++u) predicted += pairs.z[i][u] * without.beta[u];
    EXPECT_NEAR(fit.leave_one_out[i], pairs.first[i] - pairs.second[i] - predicted, 1e-8);
  }
}

TEST(Regression, ChoosesByTheOrderOfPairsLeftOut) {
  const std::vector<double> beta = truth(20);
  const Fit fit = ridge(pairs_of(100, 20, beta, 0.5, 4));
  EXPECT_GT(fit.tau, 0.7);
  EXPECT_GT(kendall_tau(fit.beta, beta), 0.8);
  const Fit noise = ridge(pairs_of(60, 20, std::vector<double>(20), 1, 4));
  EXPECT_LT(std::abs(noise.tau), 0.3) << "nothing can be learnt from noise";
}

// What is expected right is left, and what is not is learnt.
TEST(Regression, AnAnchorIsLeftWhereMasksSayOtherwise) {
  const std::size_t units = 120;
  std::mt19937_64 random(5);
  std::vector<double> expected(units);
  for (double& value : expected) value = std::uniform_real_distribution<double>(0.5, 1.5)(random);
  const Fit right = anchored_ridge(pairs_of(32, units, expected, 0, 4), expected);
  for (std::size_t u = 0; u < units; ++u) EXPECT_NEAR(right.beta[u], expected[u], 1e-9) << u;
  std::vector<double> beta = expected;
  for (const std::size_t u : {7u, 33u, 80u}) beta[u] = 12;
  const Fit few = anchored_ridge(pairs_of(200, units, beta, 1e-3, 4), expected);
  EXPECT_GT(kendall_tau(few.beta, beta), 0.9);
  for (const std::size_t u : {7u, 33u, 80u}) EXPECT_GT(few.beta[u], 6) << u;
}

TEST(Regression, LassoFindsTheFewUnitsThatMatter) {
  std::vector<double> beta(200);
  for (const std::size_t u : {3u, 50u, 120u}) beta[u] = 2;
  const Fit fit = lasso(pairs_of(60, 200, beta, 0.1, 6));
  for (const std::size_t u : {3u, 50u, 120u}) EXPECT_GT(fit.beta[u], 1) << u;
  EXPECT_LT(std::count_if(fit.beta.begin(), fit.beta.end(), [](double b) { return std::abs(b) > 0.2; }), 10);
}

TEST(Regression, TauOfTiesIsNoNumberOnlyWhereNothingCanBeSaid) {
  EXPECT_EQ(kendall_tau({1, 1, 1}, {1, 2, 3}), 0);
  EXPECT_NEAR(kendall_tau({1, 2, 3, 4}, {1, 2, 3, 4}), 1, 1e-12);
  EXPECT_NEAR(kendall_tau({1, 2, 3, 4}, {4, 3, 2, 1}), -1, 1e-12);
  EXPECT_NEAR(kendall_tau({1, 2, 2, 3}, {1, 2, 3, 4}), 5 / std::sqrt(5.0 * 6.0), 1e-12);
}

}  // namespace
}  // namespace frugal::bonsai
