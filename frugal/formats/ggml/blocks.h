// The element types of GGUF files: plain floats and quantised blocks (layouts: ggml's ggml-common.h and gguf-py's
// constants).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace frugal {

struct BlockType {
  std::uint32_t id;       // in GGUF files
  std::string_view name;  // "Q4_1"
  std::int64_t elements;  // of a block
  std::int64_t bytes;     // of a block
  // blocks * elements values to fp32: the same bits on every instruction set (products and sums in a fixed order, no
  // FMA).
  void (*dequantize)(const std::byte* blocks, std::int64_t count, float* out);
};

const BlockType* find_block_type(std::uint32_t id);  // nullptr: unknown
const BlockType* find_block_type(std::string_view name);

float half_to_float(std::uint16_t bits);   // IEEE 754 binary16
std::uint16_t float_to_half(float value);  // nearest even; overflow gives infinity
// `count` times 32 finite values to a Q8_0 block of 34 bytes: scale max|x| / 127 as binary16, values rounded half away
// from zero.
void quantize_q8_0(const float* values, std::int64_t count, std::byte* blocks);

}  // namespace frugal
