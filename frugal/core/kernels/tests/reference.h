// A second, plain implementation of directions, panels and updates: one weight at a time from the description in
// chunk.h.
#pragma once
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <type_traits>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels::reference {

inline std::uint32_t word(std::uint64_t key, std::uint32_t tensor, Stream stream, std::uint64_t index) {
  const std::uint64_t group = index / 32, place = index % 32;
  return philox(key, 8 * group + place % 16 / 2, tensor, stream)[place / 16 * 2 + place % 2];
}

inline std::uint32_t half(std::uint64_t key, std::uint32_t tensor, Stream stream, std::uint64_t i) {
  return word(key, tensor, stream, i / 32 * 16 + i % 16) >> (i % 32 / 16 * 16) & 0xFFFF;
}

inline int sign(std::uint64_t key, std::uint32_t tensor, std::uint64_t i) {
  const std::uint32_t x = word(key, tensor, Stream::direction, i / 512 * 16 + i % 16);
  return x >> (31 - i % 512 / 16) & 1 ? -1 : 1;
}

inline int table_sum(std::uint64_t key, std::uint32_t tensor, std::uint64_t i) {
  constexpr int low[] = {-55, -35, -25, -18, -12, -8, -4, -1, 1, 4, 8, 12, 18, 25, 35, 55};
  constexpr int high[] = {-18, -15, -13, -11, -8, -6, -4, -1, 1, 4, 6, 8, 11, 13, 15, 18};
  const std::uint32_t byte = word(key, tensor, Stream::direction, i / 64 * 16 + i % 16) >> (i % 64 / 16 * 8) & 0xFF;
  return low[byte & 15] + high[byte >> 4];
}

inline int table16(std::uint32_t bits) {
  constexpr int positive[4][8] = {{2, 8, 16, 18, 23, 28, 34, 69},
                                  {1, 2, 4, 11, 16, 20, 25, 58},
                                  {4, 6, 11, 13, 18, 26, 27, 67},
                                  {7, 16, 18, 26, 29, 36, 41, 60}};
  int sum = 0;
  for (const auto& table : positive) {
    const std::uint32_t nibble = bits & 15;
    sum += nibble < 8 ? -table[7 - nibble] : table[nibble - 8];
    bits >>= 4;
  }
  return sum;
}
inline int table16_sum(std::uint64_t key, std::uint32_t tensor, std::uint64_t i) {
  return table16(half(key, tensor, Stream::direction, i));
}

// Box-Muller in double, without the roundings of the kernel.
inline double exact(std::uint64_t key, std::uint32_t tensor, std::uint64_t i) {
  const std::uint64_t first = i / 32 * 32 + i % 16;
  const double u = ((word(key, tensor, Stream::direction, first) >> 8) + 1) * 0x1p-24;
  const double angle = 2 * M_PI * ((word(key, tensor, Stream::direction, first + 16) >> 8) + 0.5) * 0x1p-24;
  return std::sqrt(-2 * std::log(u)) * (i % 32 < 16 ? std::cos(angle) : std::sin(angle));
}

// gaussian_exact takes its z from the kernel: its bits are checked across instruction sets, its value against exact().
inline float z(const Noise& n, std::uint64_t i) {
  if (n.direction == Direction::sign) return static_cast<float>(sign(n.key, n.tensor, i));
  if (n.direction == Direction::gaussian) return static_cast<float>(table_sum(n.key, n.tensor, i)) * 0.0354107116f;
  if (n.direction == Direction::gaussian16) return static_cast<float>(table16_sum(n.key, n.tensor, i)) * 0.0169188027f;
  float value;
  directions(n, i, 1, &value);
  return value;
}
inline float step(const Noise& n, std::uint64_t i) {
  if (n.direction == Direction::gaussian)
    return static_cast<float>(table_sum(n.key, n.tensor, i)) * table_scale(n.direction, n.eps);
  if (n.direction == Direction::gaussian16)
    return static_cast<float>(table16_sum(n.key, n.tensor, i)) * table_scale(n.direction, n.eps);
  return z(n, i) * n.eps;
}

inline float value(float w) { return w; }
inline float value(Bf16 w) { return std::bit_cast<float>(static_cast<std::uint32_t>(w.bits) << 16); }

// Nearest bf16, ties to even, by comparing distances to both neighbours in double.
inline float nearest_bf16(float x) {
  if (!std::isfinite(x)) return x;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x), down = bits & 0xFFFF0000, up = down + 0x10000;
  const double to_down = std::abs(double{x} - std::bit_cast<float>(down));
  const double ulp = std::ldexp(1.0, std::max(static_cast<int>(bits >> 23 & 0xFF), 1) - 127 - 7);
  if (to_down != ulp - to_down) return std::bit_cast<float>(to_down < ulp - to_down ? down : up);
  return std::bit_cast<float>(down >> 16 & 1 ? up : down);
}
inline float stored(float, float sum) { return sum; }
inline float stored(Bf16, float sum) { return nearest_bf16(sum); }
inline void write(float* to, float x) { *to = x; }
inline void write(Bf16* to, float x) {
  to->bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(nearest_bf16(x)) >> 16);
}

inline bool takes_part(const Mask& m, std::uint32_t tensor, float w, std::uint64_t i) {
  switch (m.rule) {
    case Mask::Rule::none:
      return true;
    case Mask::Rule::small:
      return std::abs(w) <= m.threshold;
    case Mask::Rule::large:
      return std::abs(w) > m.threshold;
    case Mask::Rule::random:
      return half(m.key, tensor, Stream::mask, i) < std::lround(m.density * 65536);
    case Mask::Rule::file:
      return m.bits[i / 8] >> (i % 8) & 1;
  }
  return false;
}

template <class W, class Out>
void perturb(const W* w, Out* plus, Out* minus, std::uint64_t first, std::size_t n, const Noise& noise,
             const Mask& mask) {
  for (std::size_t k = 0; k < n; ++k) {
    const float weight = value(w[k]),
                e = takes_part(mask, noise.tensor, weight, first + k) ? step(noise, first + k) : 0;
    write(plus + k, stored(w[k], weight + e));
    if (minus != nullptr) write(minus + k, stored(w[k], weight - e));
  }
}

template <class W>
void update(W* w, std::uint64_t first, std::size_t n, const Update& u, const Mask& mask) {
  const float inverse = 1 / (2 * u.eps);
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint64_t i = first + k;
    const float weight = value(w[k]);
    if (!takes_part(mask, u.tensor, weight, i)) continue;
    float sum = 0;
    for (const Sample& sample : u.samples) {
      const Noise noise{u.direction, sample.key, u.tensor, u.eps};
      const float e = step(noise, i);
      const float d = u.evaluated ? (stored(w[k], weight + e) - stored(w[k], weight - e)) * inverse : z(noise, i);
      sum += sample.coefficient * d;
    }
    const float target = weight * (1 - u.decay) - sum;
    if constexpr (std::is_same_v<W, Bf16>) {
      if (u.stochastic) {
        const std::uint32_t bits =
            std::bit_cast<std::uint32_t>(target) + half(u.rounding_key, u.tensor, Stream::rounding, i);
        w[k].bits = static_cast<std::uint16_t>(bits >> 16);
        continue;
      }
    }
    write(w + k, target);
  }
}

}  // namespace frugal::kernels::reference
