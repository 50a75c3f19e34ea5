#include "frugal/nn/generate/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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
        Case{{.temperature = 1, .top_k = 3}, {0, 2, 3}}, Case{{.temperature = 1, .top_p = 0.7}, {2, 3}},
        Case{{.temperature = 1, .top_k = 3, .top_p = 0.7}, {2, 3}},
        Case{{.temperature = 1, .top_k = 5, .top_p = 0.7}, {2, 3}},
        Case{{.temperature = 1, .top_k = 9, .top_p = 0.9}, {0, 2, 3}}}) {
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

// More words than are put in order at first: the nucleus by a full sort, every word of it drawn and no other.
TEST(SampleToken, TakesTheWholeNucleusOfALargeVocabulary) {
  constexpr std::size_t kWords = 3000;
  std::vector<float> logits(kWords);
  PhiloxSequence random(3, Stream::initial);
  for (float& logit : logits) logit = static_cast<float>(random.uniform());
  std::vector<std::size_t> order(kWords);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  double sum = 0, reached = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  std::size_t size = 0;
  while (reached < 0.2 * sum) reached += std::exp(static_cast<double>(logits[order[size++]]));
  ASSERT_GT(size, 256u);
  std::vector<int> counts(kWords);
  for (int i = 0; i < 20000; ++i)
    ++counts[static_cast<std::size_t>(sample_token(logits, {.temperature = 1, .top_p = 0.2}, random))];
  for (std::size_t i = 0; i < kWords; ++i)
    EXPECT_EQ(counts[order[i]] > 0, i < size) << "word " << i << " of the nucleus of " << size;
}

}  // namespace
}  // namespace frugal
