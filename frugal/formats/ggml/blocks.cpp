#include "frugal/formats/ggml/blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace frugal {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
float half_at(const std::byte* at) { return half_to_float(load<std::uint16_t>(at)); }
int byte_at(const std::byte* at, std::int64_t i) { return std::to_integer<int>(at[i]); }

void f32(const std::byte* in, std::int64_t n, float* out) { std::memcpy(out, in, static_cast<std::size_t>(n) * 4); }
void f16(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = half_at(in + 2 * i);
}
void bf16(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(in + 2 * i)) << 16);
}

// The simple 4-bit and 5-bit blocks of 32: scale, perhaps a minimum, perhaps fifth bits, then nibbles (low: 0..15,
// high: 16..31).
template <bool kMinimum, bool kFifth>
void nibbles(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t block = 0; block < n; ++block, out += 32) {
    const float d = half_at(in);
    in += 2;
    const float m = kMinimum ? half_at(in) : 0;
    if (kMinimum) in += 2;
    const std::uint32_t fifth = kFifth ? load<std::uint32_t>(in) : 0;
    if (kFifth) in += 4;
    constexpr int kOffset = kMinimum ? 0 : kFifth ? 16 : 8;
    for (int i = 0; i < 16; ++i) {
      const int q = byte_at(in, i);
      const int low = (q & 15) | static_cast<int>(fifth >> i & 1) << 4,
                high = q >> 4 | static_cast<int>(fifth >> (i + 16) & 1) << 4;
      out[i] = static_cast<float>(low - kOffset) * d;
      out[i + 16] = static_cast<float>(high - kOffset) * d;
      if constexpr (kMinimum) {  // adding 0 would turn -0 into 0
        out[i] += m;
        out[i + 16] += m;
      }
    }
    in += 16;
  }
}

void q8_0(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t block = 0; block < n; ++block, in += 34, out += 32) {
    const float d = half_at(in);
    for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(static_cast<std::int8_t>(in[2 + i])) * d;
  }
}

// Six-bit scale and minimum j of the eight packed into 12 bytes.
void scale_and_minimum(const std::byte* s, int j, int& scale, int& minimum) {
  if (j < 4) {
    scale = byte_at(s, j) & 63;
    minimum = byte_at(s, j + 4) & 63;
  } else {
    scale = (byte_at(s, j + 4) & 15) | (byte_at(s, j - 4) >> 6) << 4;
    minimum = byte_at(s, j + 4) >> 4 | (byte_at(s, j) >> 6) << 4;
  }
}

// Q4_K and Q5_K: super-blocks of 256, eight sub-blocks of 32 with 6-bit scales and minima.
template <bool kFifth>
void k_nibbles(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t block = 0; block < n; ++block) {
    const float d = half_at(in), dmin = half_at(in + 2);
    const std::byte* scales = in + 4;
    const std::byte* fifth = in + 16;
    const std::byte* q = kFifth ? fifth + 32 : fifth;
    for (int j = 0; j < 8; j += 2, q += 32) {
      for (int side = 0; side < 2; ++side) {
        int scale, minimum;
        scale_and_minimum(scales, j + side, scale, minimum);
        const float ds = d * static_cast<float>(scale), dm = dmin * static_cast<float>(minimum);
        for (int i = 0; i < 32; ++i) {
          const int nibble = side == 0 ? byte_at(q, i) & 15 : byte_at(q, i) >> 4;
          const int top = kFifth ? (byte_at(fifth, i) >> (j + side) & 1) << 4 : 0;
          *out++ = ds * static_cast<float>(nibble | top) - dm;
        }
      }
    }
    in = q;
  }
}

void q6_k(const std::byte* in, std::int64_t n, float* out) {
  for (std::int64_t block = 0; block < n; ++block, in += 210, out += 256) {
    const float d = half_at(in + 208);
    for (int half = 0; half < 2; ++half) {
      const std::byte* low = in + 64 * half;
      const std::byte* high = in + 128 + 32 * half;
      const std::byte* scales = in + 192 + 8 * half;
      for (int i = 0; i < 32; ++i) {
        for (int part = 0; part < 4; ++part) {
          const int nibble = part < 2 ? byte_at(low, i + 32 * part) & 15 : byte_at(low, i + 32 * (part - 2)) >> 4;
          const int q = (nibble | (byte_at(high, i) >> (2 * part) & 3) << 4) - 32;
          const auto scale = static_cast<float>(static_cast<std::int8_t>(scales[i / 16 + 2 * part]));
          out[128 * half + 32 * part + i] = d * scale * static_cast<float>(q);
        }
      }
    }
  }
}

constexpr BlockType kTypes[] = {
    {0, "F32", 1, 4, f32},
    {1, "F16", 1, 2, f16},
    {30, "BF16", 1, 2, bf16},
    {2, "Q4_0", 32, 18, nibbles<false, false>},
    {3, "Q4_1", 32, 20, nibbles<true, false>},
    {6, "Q5_0", 32, 22, nibbles<false, true>},
    {7, "Q5_1", 32, 24, nibbles<true, true>},
    {8, "Q8_0", 32, 34, q8_0},
    {12, "Q4_K", 256, 144, k_nibbles<false>},
    {13, "Q5_K", 256, 176, k_nibbles<true>},
    {14, "Q6_K", 256, 210, q6_k},
};

}  // namespace

const BlockType* find_block_type(std::uint32_t id) {
  for (const BlockType& type : kTypes) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

const BlockType* find_block_type(std::string_view name) {
  for (const BlockType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16, rest = bits & 0x7fff;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  // Scaling by 2^112 moves the exponent and makes subnormals normal, exactly.
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest << 13) * 0x1p112f));
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return sign | 0x7e00;
  if (rest >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity
  if (rest < 0x38800000) {                       // below 2^-14: a multiple of 2^-24
    return static_cast<std::uint16_t>(sign |
                                      static_cast<std::uint16_t>(std::nearbyint(std::bit_cast<float>(rest) * 0x1p24f)));
  }
  const std::uint32_t rounded = rest + 0xfff + (rest >> 13 & 1);
  return static_cast<std::uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

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
