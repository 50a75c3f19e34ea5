// Super-blocks of 256: sub-blocks with a line each, whose scales and minima are small integers times one binary16 scale
// (and one minimum) of the super-block. A sub-block's integers are chosen together, by the error they leave, among the
// neighbours of its best line; then the super-block's scales are the least squares over all codes, and the integers are
// chosen again.
#include <array>
#include <cmath>
#include <cstring>

#include "frugal/formats/ggml/block_fit.h"
#include "frugal/formats/ggml/half.h"
#include "frugal/formats/ggml/quantize.h"

namespace frugal {
namespace {

constexpr int kSuper = 256;

float clamp_integer(float value, float low, float high) { return std::min(std::max(value, low), high); }

// A sub-block's line as integers times the super-block's scales, its error, and the sums of its codes.
struct Rounded {
  float scale = 0, minimum = 0, error = 0;
  float q = 0, qq = 0, xq = 0;
};

// kCount sub-blocks; x ~ d scale q - dmin minimum.
template <int kCount>
struct SuperBlock {
  float d = 0, dmin = 0;
  std::array<Rounded, kCount> parts{};

  float error() const {
    float sum = 0;
    for (const Rounded& part : parts) sum += part.error;
    return sum;
  }
  Line line(int j) const { return {d * parts[j].scale, -(dmin * parts[j].minimum)}; }
};

template <int kSize>
void take_codes(const float* x, const Line& line, float low, float high, Rounded& part) {
  const float inverse = inverse_or_zero(line.scale);
  for (int i = 0; i < kSize; ++i) {
    const float q = nearest_code<float>((x[i] - line.base) * inverse, low, high);
    part.q += q, part.qq += q * q, part.xq += x[i] * q;
  }
}

// Q4_K, Q5_K.
constexpr int kLines = 8, kLineSize = kSuper / kLines;
constexpr float kMost = 63;  // of a scale or minimum

SuperBlock<kLines> round_lines(const float* x, const std::array<Line, kLines>& fitted, float d, float dmin,
                               float high) {
  SuperBlock<kLines> block{.d = d, .dmin = dmin};
  const float per_d = inverse_or_zero(d), per_dmin = inverse_or_zero(dmin);
  for (int j = 0; j < kLines; ++j) {
    Rounded& part = block.parts[j];
    part.error = HUGE_VALF;
    const float scale = std::floor(fitted[j].scale * per_d), minimum = std::floor(-fitted[j].base * per_dmin);
    for (int half = 0; half < 2; ++half) {
      float scales[kLanes], minima[kLanes], line_scales[kLanes], line_bases[kLanes];
      for (int c = 0; c < kLanes; ++c) {
        scales[c] = clamp_integer(scale - 1 + static_cast<float>(c % 4), 0, kMost);
        minima[c] = clamp_integer(minimum - 1 + static_cast<float>(c / 4 + 2 * half), 0, kMost);
        line_scales[c] = d * scales[c], line_bases[c] = -(dmin * minima[c]);
      }
      const LineLanes lines{Lanes::of(line_scales), Lanes::of(line_bases)};
      const Lanes errors = code_errors<kLineSize>(x + j * kLineSize, lines, 0, high);
      for (int c = 0; c < kLanes; ++c) {
        if (errors[c] < part.error) part.scale = scales[c], part.minimum = minima[c], part.error = errors[c];
      }
    }
    take_codes<kLineSize>(x + j * kLineSize, block.line(j), 0, high, part);
  }
  return block;
}

template <bool kFifth>
void k_nibbles(const float* x, std::int64_t count, std::byte* out) {
  constexpr float kHigh = kFifth ? 31 : 15;
  for (std::int64_t b = 0; b < count; ++b, x += kSuper) {
    std::array<Line, kLines> fitted;
    float scale = 0, minimum = 0, sums[kLines];
    for (int j = 0; j < kLines; ++j) {
      fitted[j] = fit_line<kLineSize>(x + j * kLineSize, kHigh, 0);
      scale = std::max(scale, fitted[j].scale), minimum = std::max(minimum, -fitted[j].base);
      sums[j] = 0;
      for (int i = 0; i < kLineSize; ++i) sums[j] += x[j * kLineSize + i];
    }
    SuperBlock<kLines> best = round_lines(x, fitted, as_half(scale / kMost), as_half(minimum / kMost), kHigh);
    for (int round = 0; round < 1; ++round) {
      // min over d, dmin of sum (x - d a + dmin e)^2 with a = scale q, e = minimum.
      float aa = 0, ae = 0, ee = 0, xa = 0, xe = 0;
      for (int j = 0; j < kLines; ++j) {
        const Rounded& p = best.parts[j];
        aa += p.scale * p.scale * p.qq, ae += p.scale * p.minimum * p.q, ee += kLineSize * p.minimum * p.minimum;
        xa += p.scale * p.xq, xe += p.minimum * sums[j];
      }
      const float determinant = aa * ee - ae * ae;
      const float d = determinant > 0 ? (xa * ee - ae * xe) / determinant : aa > 0 ? xa / aa : 0;
      const float dmin = determinant > 0 ? (xa * ae - aa * xe) / determinant : 0;
      if (!(d > 0) || !(dmin >= 0)) break;
      const SuperBlock<kLines> next = round_lines(x, fitted, as_half(d), as_half(dmin), kHigh);
      if (!(next.error() < best.error())) break;
      best = next;
    }
    out = put_half(put_half(out, best.d), best.dmin);
    // Six bits each of eight scales and minima in 12 bytes.
    std::byte packed[12] = {};
    for (int j = 0; j < kLines; ++j) {
      const int s = static_cast<int>(best.parts[j].scale), m = static_cast<int>(best.parts[j].minimum);
      if (j < 4) {
        packed[j] |= static_cast<std::byte>(s), packed[j + 4] |= static_cast<std::byte>(m);
      } else {
        packed[j + 4] = static_cast<std::byte>((s & 15) | (m & 15) << 4);
        packed[j - 4] |= static_cast<std::byte>(s >> 4 << 6), packed[j] |= static_cast<std::byte>(m >> 4 << 6);
      }
    }
    out = static_cast<std::byte*>(std::memcpy(out, packed, 12)) + 12;
    std::byte* fifth = out;
    if (kFifth) std::memset(out, 0, 32), out += 32;
    for (int j = 0; j < kLines; ++j) {
      const Line line = best.line(j);
      const float inverse = inverse_or_zero(line.scale);
      std::byte* q = out + j / 2 * 32;
      for (int i = 0; i < kLineSize; ++i) {
        const int code = static_cast<int>(nearest_code<float>((x[j * kLineSize + i] - line.base) * inverse, 0, kHigh));
        q[i] = j % 2 == 0 ? static_cast<std::byte>(code & 15) : q[i] | static_cast<std::byte>((code & 15) << 4);
        if (kFifth) fifth[i] |= static_cast<std::byte>(code >> 4 << j);
      }
    }
    out += kSuper / 2;
  }
}

// Q6_K.
constexpr int kScales = 16, kScaleSize = kSuper / kScales;

SuperBlock<kScales> round_scales(const float* x, const std::array<float, kScales>& fitted, float d) {
  SuperBlock<kScales> block{.d = d};
  const float per_d = inverse_or_zero(d);
  for (int j = 0; j < kScales; ++j) {
    Rounded& part = block.parts[j];
    const float scale = std::floor(fitted[j] * per_d);
    float scales[kLanes], line_scales[kLanes];
    for (int c = 0; c < kLanes; ++c) {
      scales[c] = clamp_integer(scale - 3 + static_cast<float>(c), -128, 127);
      line_scales[c] = d * scales[c];
    }
    const Lanes errors = code_errors<kScaleSize>(x + j * kScaleSize, {Lanes::of(line_scales), {}}, -32, 31);
    part.error = HUGE_VALF;
    for (int c = 0; c < kLanes; ++c) {
      if (errors[c] < part.error) part.scale = scales[c], part.error = errors[c];
    }
    take_codes<kScaleSize>(x + j * kScaleSize, block.line(j), -32, 31, part);
  }
  return block;
}

}  // namespace

void quantize_q4_k(const float* x, std::int64_t count, std::byte* out) { k_nibbles<false>(x, count, out); }
void quantize_q5_k(const float* x, std::int64_t count, std::byte* out) { k_nibbles<true>(x, count, out); }

void quantize_q6_k(const float* x, std::int64_t count, std::byte* out) {
  for (std::int64_t b = 0; b < count; ++b, x += kSuper, out += 210) {
    std::array<float, kScales> fitted;
    float farthest = 0;
    for (int j = 0; j < kScales; ++j) {
      fitted[j] = fit_scale<kScaleSize>(x + j * kScaleSize, -32, 31);
      if (std::fabs(fitted[j]) > std::fabs(farthest)) farthest = fitted[j];
    }
    SuperBlock<kScales> best = round_scales(x, fitted, as_half(farthest / -128));
    float aa = 0, xa = 0;
    for (const Rounded& p : best.parts) aa += p.scale * p.scale * p.qq, xa += p.scale * p.xq;
    if (aa > 0) {
      const SuperBlock<kScales> next = round_scales(x, fitted, as_half(xa / aa));
      if (next.error() < best.error()) best = next;
    }
    std::memset(out, 0, 192);
    for (int j = 0; j < kScales; ++j) {
      const Line line = best.line(j);
      const float inverse = inverse_or_zero(line.scale);
      for (int i = 0; i < kScaleSize; ++i) {
        const int at = j * kScaleSize + i, half = at / 128, part = at % 128 / 32, k = at % 32;
        const int code = static_cast<int>(nearest_code<float>(x[at] * inverse, -32, 31)) + 32;
        out[64 * half + 32 * (part % 2) + k] |= static_cast<std::byte>((code & 15) << (part / 2 * 4));
        out[128 + 32 * half + k] |= static_cast<std::byte>(code >> 4 << 2 * part);
      }
      out[192 + j] = static_cast<std::byte>(static_cast<std::int8_t>(best.parts[j].scale));
    }
    put_half(out + 208, best.d);
  }
}

}  // namespace frugal
