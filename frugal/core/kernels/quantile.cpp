#include <cmath>

#include <bit>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {
namespace {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFF;

// The bin that holds the element of 1-based rank `rank`, which is reduced to the rank within that bin.
std::uint32_t bin_of(const std::vector<std::size_t>& counts, std::size_t& rank) {
  std::uint32_t bin = 0;
  while (rank > counts[bin]) rank -= counts[bin++];
  return bin;
}

// ceil(share n), at least 1 and at most n.
std::size_t rank_of(double share, std::size_t n) {
  const double rank = std::ceil(share * static_cast<double>(n));
  return rank < 1 ? 1 : rank < static_cast<double>(n) ? static_cast<std::size_t>(rank) : n;
}

}  // namespace

float magnitude_quantile(const Bf16* w, std::size_t n, double share) {
  if (n == 0 || !(share > 0)) return -1;
  std::vector<std::size_t> counts(0x8000);
  for (std::size_t i = 0; i < n; ++i) ++counts[w[i].bits & 0x7FFF];
  std::size_t rank = rank_of(share, n);
  return std::bit_cast<float>(bin_of(counts, rank) << 16);
}

float magnitude_quantile(const float* w, std::size_t n, double share) {
  if (n == 0 || !(share > 0)) return -1;
  std::vector<std::size_t> counts(0x8000);
  for (std::size_t i = 0; i < n; ++i) ++counts[(std::bit_cast<std::uint32_t>(w[i]) & kMagnitude) >> 16];
  std::size_t rank = rank_of(share, n);
  const std::uint32_t upper = bin_of(counts, rank);
  counts.assign(0x10000, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(w[i]) & kMagnitude;
    if (bits >> 16 == upper) ++counts[bits & 0xFFFF];
  }
  return std::bit_cast<float>(upper << 16 | bin_of(counts, rank));
}

}  // namespace frugal::kernels
