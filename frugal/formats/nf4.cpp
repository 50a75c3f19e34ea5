#include "frugal/formats/nf4.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "frugal/base/error.h"

namespace frugal::nf4 {
namespace {

// Thresholds between neighbouring codes. A sum of two codes is exact in double; the largest float not above its half
// decides q > midpoint for every float q.
constexpr std::array<float, 15> midpoints() {
  std::array<float, 15> points{};
  for (std::size_t k = 0; k < points.size(); ++k) {
    const double middle = (static_cast<double>(kCodes[k]) + static_cast<double>(kCodes[k + 1])) / 2;
    points[k] = static_cast<float>(middle);
    if (points[k] > middle) {  // one step towards minus infinity; no midpoint is 0
      const auto bits = std::bit_cast<std::uint32_t>(points[k]);
      points[k] = std::bit_cast<float>(points[k] > 0 ? bits - 1 : bits + 1);
    }
  }
  return points;
}
constexpr std::array<float, 15> kMidpoints = midpoints();

}  // namespace

void encode(const float* values, std::int64_t n, std::uint8_t* codes, float* absmax) {
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, n - begin);
    float quotient[kBlock] = {};  // the rest of a short block counts as 0
    std::copy_n(values + begin, count, quotient);
    std::uint32_t largest = 0;  // magnitudes order as their bits do, infinities and NaN above all
    for (const float value : quotient) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffu);
    if (largest >= 0x7f800000u) {
      const auto at =
          begin + (std::find_if(quotient, quotient + count, [](float v) { return !std::isfinite(v); }) - quotient);
      throw Error(Exit::input,
                  "element " + std::to_string(at) + " is " + std::to_string(values[at]) + ", which NF4 cannot hold",
                  "check how the model was made");
    }
    const float scale = std::bit_cast<float>(largest), divisor = largest == 0 ? 1 : scale;
    absmax[begin / kBlock] = scale;
    // The code is the number of thresholds below the quotient: no branches, and the compiler makes vectors of it.
    std::int32_t code[kBlock] = {};
    for (float& value : quotient) value /= divisor;
    for (const float midpoint : kMidpoints) {
      for (std::int64_t i = 0; i < kBlock; ++i) code[i] += quotient[i] > midpoint ? 1 : 0;
    }
    for (std::int64_t i = 0; i < count; i += 2)
      codes[(begin + i) / 2] = static_cast<std::uint8_t>(code[i] << 4 | code[i + 1]);
  }
}

void decode(const std::uint8_t* codes, const float* absmax, std::int64_t begin, std::int64_t end, float* out) {
  while (begin < end) {
    const std::int64_t stop = std::min(end, (begin / kBlock + 1) * kBlock);
    float values[16];
    for (std::size_t code = 0; code < 16; ++code) values[code] = kCodes[code] * absmax[begin / kBlock];
    if (begin % 2 != 0) *out++ = values[codes[begin++ / 2] & 15];
    for (; begin + 1 < stop; begin += 2, out += 2) {
      const std::uint8_t both = codes[begin / 2];
      out[0] = values[both >> 4];
      out[1] = values[both & 15];
    }
    if (begin < stop) *out++ = values[codes[begin++ / 2] >> 4];
  }
}

}  // namespace frugal::nf4
