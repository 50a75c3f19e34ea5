#include "frugal/formats/ggml/blocks.h"

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "frugal/formats/ggml/half.h"
#include "frugal/formats/ggml/quantize.h"

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

void to_f32(const float* values, std::int64_t n, std::byte* out) {
  std::memcpy(out, values, static_cast<std::size_t>(n) * 4);
}
void to_f16(const float* values, std::int64_t n, std::byte* out) {
  for (std::int64_t i = 0; i < n; ++i) out = put_half(out, values[i]);
}
void to_bf16(const float* values, std::int64_t n, std::byte* out) {  // nearest even
  for (std::int64_t i = 0; i < n; ++i, out += 2) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const auto rounded = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(out, &rounded, 2);
  }
}

// What a binary16 scale can reach: times the largest code, and the largest integer of a sub-block; the least number of
// all types that must be refused is a half step of binary16 above.
constexpr BlockType kTypes[] = {
    {0, "F32", 1, 4, FLT_MAX, HUGE_VAL, f32, to_f32},
    {1, "F16", 1, 2, 65504, 65520, f16, to_f16},
    {30, "BF16", 1, 2, 0x1.fep127, 0x1.ffp127, bf16, to_bf16},
    {2, "Q4_0", 32, 18, 65504.0 * 7, 65520.0 * 7, nibbles<false, false>, quantize_q4_0},
    {3, "Q4_1", 32, 20, 65504, 65520, nibbles<true, false>, quantize_q4_1},
    {6, "Q5_0", 32, 22, 65504.0 * 15, 65520.0 * 15, nibbles<false, true>, quantize_q5_0},
    {7, "Q5_1", 32, 24, 65504, 65520, nibbles<true, true>, quantize_q5_1},
    {8, "Q8_0", 32, 34, 65504.0 * 127, 65520.0 * 127, q8_0, quantize_q8_0},
    {12, "Q4_K", 256, 144, 65504.0 * 63, 65520.0 * 63, k_nibbles<false>, quantize_q4_k},
    {13, "Q5_K", 256, 176, 65504.0 * 63, 65520.0 * 63, k_nibbles<true>, quantize_q5_k},
    {14, "Q6_K", 256, 210, 65504.0 * 31 * 127, 65520.0 * 31 * 127, q6_k, quantize_q6_k},
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

}  // namespace frugal
