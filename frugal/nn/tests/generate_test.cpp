#include "frugal/nn/generate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace frugal {
namespace {

TEST(SampleToken, GreedyTakesTheLargestAndTheLowerIdOfATie) {
  PhiloxSequence random(1, Stream::sampling);
  const std::vector<float> logits = {0, 3, 1, 3};
  EXPECT_EQ(sample_token(logits, {.temperature = 0}, random), 1);
  EXPECT_EQ(sample_token(logits, {.temperature = 1, .top_k = 1}, random), 1);
  EXPECT_EQ(sample_token(logits, {.temperature = 1, .top_p = 1e-6}, random), 1);
}

// Frequencies of 40,000 draws within five standard errors of softmax(logits / temperature), cut by top-k and top-p.
TEST(SampleToken, FollowsItsDistribution) {
  const std::vector<float> logits = {0.5f, -1, 2, 1, -3};
  struct Case {
    SamplingOptions options;
    std::vector<int> kept;
  };
  for (const auto& [options, kept] :
       {Case{{.temperature = 1}, {0, 1, 2, 3, 4}}, Case{{.temperature = 0.5}, {0, 1, 2, 3, 4}},
        Case{{.temperature = 1, .top_k = 3}, {0, 2, 3}}, Case{{.temperature = 1, .top_p = 0.7}, {2, 3}}}) {
    PhiloxSequence random(7, Stream::sampling);
    constexpr int kDraws = 40000;
    std::vector<int> counts(5);
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sample_token(logits, options, random))];
    double sum = 0;
    for (const int id : kept) sum += std::exp(logits[static_cast<std::size_t>(id)] / options.temperature);
    std::vector<double> p(5, 0);
    for (const int id : kept)
      p[static_cast<std::size_t>(id)] = std::exp(logits[static_cast<std::size_t>(id)] / options.temperature) / sum;
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(counts[i], p[i] * kDraws, 5 * std::sqrt(p[i] * (1 - p[i]) * kDraws) + 1e-9) << i;
  }
}

}  // namespace
}  // namespace frugal
