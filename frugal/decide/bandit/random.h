// Random numbers of the system: each is a pure function of (seed, round, item) in a named stream.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "frugal/base/philox.h"

namespace frugal::bandit {

// In (0, 1): 52 bits and a half, so that a logarithm of it is finite.
inline double unit(std::uint32_t high, std::uint32_t low) {
  return (static_cast<double>(std::uint64_t{high} << 20 | low >> 12) + 0.5) * 0x1p-52;
}

// Uniform in (0, 1).
inline double uniform(std::uint64_t key, std::uint64_t item, Stream stream) {
  const PhiloxBlock b = philox(key, item, 0, stream);
  return unit(b[0], b[1]);
}

// Standard normals of items 2 pair and 2 pair + 1 (Box and Muller, 1958).
inline std::array<double, 2> normals(std::uint64_t key, std::uint64_t pair, Stream stream) {
  const PhiloxBlock b = philox(key, pair, 0, stream);
  const double r = std::sqrt(-2 * std::log(unit(b[0], b[1])));
  const double angle = 2 * std::numbers::pi * unit(b[2], b[3]);
  return {r * std::cos(angle), r * std::sin(angle)};
}

inline double normal(std::uint64_t key, std::uint64_t item, Stream stream) {
  return normals(key, item / 2, stream)[item % 2];
}

}  // namespace frugal::bandit
