#include "frugal/data/batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace frugal {
namespace {

std::vector<std::uint32_t> stream(const Batcher& batcher, std::uint64_t steps) {
  std::vector<std::uint32_t> all;
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (const auto index : batcher.batch(step)) all.push_back(index);
  }
  return all;
}

// Each epoch is a permutation, whether or not batches divide it.
TEST(Batcher, EveryEpochSeesEveryExampleOnce) {
  const std::vector<std::int32_t> labels(10);
  for (const std::int64_t size : {1, 3, 4, 10, 16}) {
    auto all = stream(Batcher(labels, size, 7, false), 40);
    for (std::size_t epoch = 0; (epoch + 1) * 10 <= all.size(); ++epoch) {
      std::vector<std::uint32_t> sorted(all.begin() + static_cast<std::ptrdiff_t>(epoch * 10),
                                        all.begin() + static_cast<std::ptrdiff_t>(epoch * 10 + 10));
      std::sort(sorted.begin(), sorted.end());
      std::vector<std::uint32_t> expected(10);
      std::iota(expected.begin(), expected.end(), 0u);
      EXPECT_EQ(sorted, expected);
    }
  }
}

// A resumed run asks for later steps first, or for one step twice.
TEST(Batcher, IsAFunctionOfSeedAndStep) {
  const std::vector<std::int32_t> labels = {0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1};
  for (const bool is_balanced : {false, true}) {
    const Batcher one(labels, 4, 3, is_balanced), two(labels, 4, 3, is_balanced), other(labels, 4, 4, is_balanced);
    std::vector<std::vector<std::uint32_t>> forwards;
    for (std::uint64_t step = 0; step < 20; ++step) forwards.push_back(one.batch(step));
    for (std::uint64_t step = 20; step-- > 0;) EXPECT_EQ(two.batch(step), forwards[step]);
    EXPECT_NE(stream(other, 20), stream(one, 20));
  }
}

TEST(Batcher, EpochsDiffer) {
  const std::vector<std::int32_t> labels(50);
  const Batcher batcher(labels, 50, 1, false);
  EXPECT_NE(batcher.batch(0), batcher.batch(1));
  EXPECT_EQ(batcher.epoch(3), 3);
}

TEST(Batcher, BalancedBatchesHaveEqualParts) {
  std::vector<std::int32_t> labels(100, 0);
  for (int i = 0; i < 13; ++i) labels[static_cast<std::size_t>(i * 7)] = 1;
  const Batcher batcher(labels, 16, 1, true);
  std::map<std::uint32_t, int> seen;
  for (std::uint64_t step = 0; step < 26; ++step) {
    const auto batch = batcher.batch(step);
    EXPECT_EQ(std::count_if(batch.begin(), batch.end(), [&](std::uint32_t i) { return labels[i] == 1; }), 8);
    for (const auto index : batch) ++seen[index];
  }
  // 208 draws of 13 examples are 16 whole passes.
  for (std::uint32_t i = 0; i < 100; ++i) {
    if (labels[i] == 1) {
      EXPECT_EQ(seen[i], 16) << i;
    }
  }
}

// Three classes do not divide 16; over steps the turns even out. A class without examples is passed over.
TEST(Batcher, BalanceOverStepsAndMissingClasses) {
  const std::vector<std::int32_t> labels = {0, 2, 5, 0, 0, 2};
  std::map<std::int32_t, int> counts;
  for (const auto index : stream(Batcher(labels, 16, 1, true), 3)) ++counts[labels[index]];
  EXPECT_EQ(counts, (std::map<std::int32_t, int>{{0, 16}, {2, 16}, {5, 16}}));
}

// First place of 4 examples over many epochs: 1,000 draws a cell expected, bound 5 standard errors.
TEST(Batcher, ShufflesAreUniform) {
  const std::vector<std::int32_t> labels(4);
  const Batcher batcher(labels, 4, 11, false);
  std::vector<int> first(4);
  for (std::uint64_t step = 0; step < 4000; ++step) ++first[batcher.batch(step)[0]];
  for (const int count : first) EXPECT_NEAR(count, 1000, 5 * std::sqrt(4000 * 0.25 * 0.75));
}

}  // namespace
}  // namespace frugal
