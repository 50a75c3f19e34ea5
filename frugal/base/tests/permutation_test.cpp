#include "frugal/base/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace frugal {
namespace {

TEST(Permutation, TakesEveryNumberOnce) {
  for (const std::uint64_t size : {1u, 2u, 3u, 4u, 5u, 63u, 64u, 65u, 100u, 4095u, 4097u, 70001u}) {
    for (const std::uint64_t key : {0u, 1u, 77u}) {
      const Permutation order(size, key);
      std::vector<bool> seen(size);
      for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t at = order(i);
        ASSERT_LT(at, size);
        ASSERT_FALSE(seen[at]) << size << " " << i;
        seen[at] = true;
      }
    }
  }
}

// Any tenth of the order is spread over the whole range, and keys give unrelated orders: chi-squared of 63 degrees of
// freedom, mean 63, five standard deviations of sqrt(126) either way.
TEST(Permutation, SpreadsAWindowEvenly) {
  constexpr std::uint64_t kSize = 1'000'003, kBins = 64, kCount = kSize / 10;
  for (const std::uint64_t first : {std::uint64_t{0}, kCount, 5 * kCount}) {
    const Permutation order(kSize, 9);
    std::vector<double> bins(kBins);
    for (std::uint64_t i = 0; i < kCount; ++i) bins[order(first + i) * kBins / kSize] += 1;
    double chi = 0;
    const double expected = static_cast<double>(kCount) / kBins;
    for (const double count : bins) chi += (count - expected) * (count - expected) / expected;
    EXPECT_LT(chi, 63 + 5 * std::sqrt(126.0));
  }
  const Permutation a(kSize, 1), b(kSize, 2);
  int equal = 0;
  for (std::uint64_t i = 0; i < kSize; ++i) equal += a(i) == b(i);
  EXPECT_LT(equal, 10) << "1 is expected";
}

}  // namespace
}  // namespace frugal
