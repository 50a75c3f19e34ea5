#include "frugal/signals/swarm/corpus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace frugal::swarm {
namespace {

TEST(SwarmCorpus, IsCutToTheShortestRunOfAllWhateverTheThreads) {
  const Corpus one = simulate_corpus({}, 20, 1, 1), three = simulate_corpus({}, 20, 1, 3);
  int shortest = 5000;
  for (int tactic = 0; tactic < kTactics; ++tactic) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed)
      shortest = std::min(shortest, simulate({}, static_cast<Tactic>(tactic), seed).steps);
  }
  EXPECT_EQ(one.steps, shortest);
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(one.values.size(), static_cast<std::size_t>(80 * shortest * 40));
  const Track track = simulate({}, Tactic::auction, 4);
  const float* run = &one.values[static_cast<std::size_t>((2 * 20 + 3) * shortest * 40)];
  for (int k = 0; k < shortest * 40; ++k)
    ASSERT_EQ(run[k], static_cast<float>(track.data[static_cast<std::size_t>(k)])) << k;
}

// Acceptance item 1: the window that the authors' files have.
TEST(SwarmCorpus, ShortestOfThePapersRunsIs58) { EXPECT_EQ(simulate_corpus({}, 1200, 1, 2).steps, 58); }

TEST(SwarmCorpus, NoiseHasItsDeviationAndMeanZeroOverEachRun) {
  Corpus corpus{.runs = 50, .steps = 60, .agents = 3};
  corpus.values.assign(50 * 60 * 12, 0);
  corpus.labels.assign(50, 0);
  Corpus again = corpus, other = corpus;
  add_noise(corpus, 0.1, 5);
  add_noise(again, 0.1, 5);
  add_noise(other, 0.1, 6);
  EXPECT_EQ(corpus.values, again.values);
  EXPECT_NE(corpus.values, other.values);
  double squares[2] = {0, 0};
  for (int r = 0; r < 50; ++r) {
    for (int f = 0; f < 12; ++f) {
      double sum = 0;
      for (int t = 0; t < 60; ++t) {
        const double x = corpus.values[static_cast<std::size_t>((r * 60 + t) * 12 + f)];
        sum += x, squares[f >= 6] += x * x;
      }
      EXPECT_NEAR(sum, 0, 60 * 20 * 1.2e-7);  // steps times a large value times float's epsilon
    }
  }
  // 18000 numbers each; the shift takes 1/60 of the variance; 5 standard errors of a deviation are 5 / sqrt(2 * 18000)
  const double kept = std::sqrt(59.0 / 60), error = 5 / std::sqrt(2.0 * 18000);
  EXPECT_NEAR(std::sqrt(squares[0] / 18000), 4 * kept, 4 * error);
  EXPECT_NEAR(std::sqrt(squares[1] / 18000), 0.1 * kept, 0.1 * error);
}

TEST(SwarmCorpus, SplitPartsClassesAlikeAndKeepsStartsApart) {
  Corpus corpus{.runs = 4800, .steps = 1, .agents = 1};
  const Split split = split_corpus(corpus, 0.25, 0.2, 3);
  EXPECT_EQ(split.train.size(), 2880u);
  EXPECT_EQ(split.validation.size(), 720u);
  EXPECT_EQ(split.test.size(), 1200u);
  std::set<std::int64_t> tested, kept, all;
  int of_class[4] = {};
  for (const std::int64_t r : split.test) tested.insert(r % 1200), all.insert(r), ++of_class[r / 1200];
  for (const auto* part : {&split.train, &split.validation}) {
    for (const std::int64_t r : *part) kept.insert(r % 1200), all.insert(r);
  }
  EXPECT_EQ(all.size(), 4800u);
  for (const int count : of_class) EXPECT_EQ(count, 300);
  for (const std::int64_t start : tested) EXPECT_FALSE(kept.contains(start));
  EXPECT_EQ(split_corpus(corpus, 0.25, 0.2, 3).train, split.train);
  EXPECT_NE(split_corpus(corpus, 0.25, 0.2, 4).test, split.test);
}

TEST(SwarmCorpus, ScalerIsOfTheTrainingRunsAlone) {
  Corpus corpus = simulate_corpus({.attackers = 2, .decoys = 2}, 10, 1, 1);
  std::vector<std::int64_t> of;
  for (std::int64_t r = 0; r < 40; r += 2) of.push_back(r);
  for (std::size_t k = static_cast<std::size_t>(corpus.steps * 8); k < static_cast<std::size_t>(corpus.steps * 16); ++k)
    corpus.values[k] = 1e6f;  // run 1, which is not among them
  const Scaler scaler = fit_scaler(corpus, of);
  standardise(corpus, scaler);
  for (std::int64_t f = 0; f < 8; ++f) {
    double sum = 0, squares = 0;
    for (const std::int64_t r : of) {
      for (std::int64_t t = 0; t < corpus.steps; ++t) {
        const double x = corpus.values[static_cast<std::size_t>((r * corpus.steps + t) * 8 + f)];
        sum += x, squares += x * x;
      }
    }
    const double count = 20.0 * static_cast<double>(corpus.steps);
    EXPECT_NEAR(sum / count, 0, 1e-5);  // of float rounding: the mean is about 20 deviations from 0 at the least
    EXPECT_NEAR(squares / count, 1, 1e-5);
  }
}

TEST(SwarmCorpus, WindowsPutFeaturesBeforeSteps) {
  Corpus corpus{.runs = 2, .steps = 3, .agents = 1};
  for (int k = 0; k < 24; ++k) corpus.values.push_back(static_cast<float>(k));
  EXPECT_EQ(windows(corpus, 2, "pv"), (std::vector<float>{0, 4, 1, 5, 2, 6, 3, 7, 12, 16, 13, 17, 14, 18, 15, 19}));
  EXPECT_EQ(windows(corpus, 1, "p"), (std::vector<float>{0, 1, 12, 13}));
  EXPECT_EQ(windows(corpus, 1, "v"), (std::vector<float>{2, 3, 14, 15}));
}

}  // namespace
}  // namespace frugal::swarm
