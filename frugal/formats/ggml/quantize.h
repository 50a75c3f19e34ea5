// Rows of fp32 to quantised blocks (layouts: blocks.cpp). Scales are searched for the least squared error, where ggml
// weighs large values more; the same bits on every instruction set, for any number of threads.
#pragma once
#include <cstddef>
#include <cstdint>

namespace frugal {

// `count` blocks of finite values, at most the type's `largest`. 32 values a block:
void quantize_q4_0(const float* values, std::int64_t count, std::byte* blocks);
void quantize_q4_1(const float* values, std::int64_t count, std::byte* blocks);
void quantize_q5_0(const float* values, std::int64_t count, std::byte* blocks);
void quantize_q5_1(const float* values, std::int64_t count, std::byte* blocks);
// Scale max|x| / 127 as binary16, values rounded half away from zero: ggml's own bits.
void quantize_q8_0(const float* values, std::int64_t count, std::byte* blocks);
// 256 values a block:
void quantize_q4_k(const float* values, std::int64_t count, std::byte* blocks);
void quantize_q5_k(const float* values, std::int64_t count, std::byte* blocks);
void quantize_q6_k(const float* values, std::int64_t count, std::byte* blocks);

}  // namespace frugal
