// IEEE 754 binary16 in integers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace frugal {

inline constexpr float kLargestHalf = 65504;

float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);  // nearest even; overflow gives infinity

// The nearest finite binary16.
inline float as_half(float value) {
  return half_to_float(float_to_half(std::clamp(value, -kLargestHalf, kLargestHalf)));
}
inline std::byte* put_half(std::byte* out, float value) {
  const std::uint16_t bits = float_to_half(value);
  std::memcpy(out, &bits, sizeof bits);
  return out + sizeof bits;
}

}  // namespace frugal
