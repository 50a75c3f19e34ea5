#include "frugal/formats/ggml/quantize.h"

#include <cmath>
#include <cstring>

#include "frugal/formats/ggml/block_fit.h"
#include "frugal/formats/ggml/half.h"

namespace frugal {
namespace {

constexpr int kSize = 32;

// The better of two lines as binary16 holds them.
Line better(const float* x, Line a, Line b, float low, float high) {
  a = {as_half(a.scale), as_half(a.base)}, b = {as_half(b.scale), as_half(b.base)};
  const LineLanes lines{Lanes::of({a.scale, b.scale}), Lanes::of({a.base, b.base})};
  const Lanes errors = code_errors<kSize>(x, lines, low, high);
  return errors[1] < errors[0] ? b : a;
}

template <bool kMinimum>
Line through_extremes(const float* x, float low, float high) {
  float least, most;
  extremes<kSize>(x, least, most);
  if (kMinimum) return {(most - least) / high, least};
  return {(-least > most ? least : most) / low};
}

template <bool kMinimum, bool kFifth>
void nibbles(const float* x, std::int64_t count, std::byte* out) {
  constexpr int kCodes = kFifth ? 32 : 16, kOffset = kMinimum ? 0 : kCodes / 2;
  constexpr float kLow = -kOffset, kHigh = kCodes - 1 - kOffset;
  for (std::int64_t block = 0; block < count; ++block, x += kSize) {
    const Line fitted = kMinimum ? fit_line<kSize>(x, kHigh, kLargestHalf) : Line{fit_scale<kSize>(x, kLow, kHigh)};
    const Line line = better(x, through_extremes<kMinimum>(x, kLow, kHigh), fitted, kLow, kHigh);
    out = put_half(out, line.scale);
    if (kMinimum) out = put_half(out, line.base);
    const float inverse = inverse_or_zero(line.scale);
    std::uint32_t codes[kSize], fifth = 0;
    for (int i = 0; i < kSize; ++i) {
      codes[i] = static_cast<std::uint32_t>(
          static_cast<int>(nearest_code<float>((x[i] - line.base) * inverse, kLow, kHigh)) + kOffset);
      fifth |= (codes[i] >> 4) << i;
    }
    if (kFifth) out = static_cast<std::byte*>(std::memcpy(out, &fifth, 4)) + 4;
    for (int i = 0; i < kSize / 2; ++i) *out++ = static_cast<std::byte>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
}

}  // namespace

void quantize_q4_0(const float* x, std::int64_t count, std::byte* out) { nibbles<false, false>(x, count, out); }
void quantize_q4_1(const float* x, std::int64_t count, std::byte* out) { nibbles<true, false>(x, count, out); }
void quantize_q5_0(const float* x, std::int64_t count, std::byte* out) { nibbles<false, true>(x, count, out); }
void quantize_q5_1(const float* x, std::int64_t count, std::byte* out) { nibbles<true, true>(x, count, out); }

void quantize_q8_0(const float* values, std::int64_t count, std::byte* blocks) {
  for (std::int64_t block = 0; block < count; ++block, values += 32, blocks += 34) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
    const float d = largest / 127, inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t scale = float_to_half(d);
    std::memcpy(blocks, &scale, 2);
    // The inverse of a subnormal scale is infinite; the scale itself is then 0 in binary16.
    for (int i = 0; i < 32; ++i) {
      const float q = scale == 0 ? 0 : std::round(values[i] * inverse);
      blocks[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q));
    }
  }
}

}  // namespace frugal
