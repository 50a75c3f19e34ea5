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
  double largest;         // magnitude of a value that it holds
  double overflows_from;  // the least that would be rounded to infinity
  // count * elements values to fp32 and back: the same bits on every instruction set (products and sums in a fixed
  // order, no FMA). What is quantised is finite and below overflows_from.
  void (*dequantize)(const std::byte* blocks, std::int64_t count, float* out);
  void (*quantize)(const float* values, std::int64_t count, std::byte* blocks);
};

const BlockType* find_block_type(std::uint32_t id);  // nullptr: unknown
const BlockType* find_block_type(std::string_view name);

}  // namespace frugal
