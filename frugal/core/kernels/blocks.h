// Quantised blocks of GGUF files (layouts: formats/ggml/blocks.h, whose plain code is the reference) read by vector
// code: to rows of fp32 or bf16, and times a few rows of x without being written out.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

enum class BlockFormat { q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k };
std::optional<BlockFormat> find_block_format(std::string_view type);  // "Q4_1"; none: not one of these
std::size_t block_elements(BlockFormat format);                       // 32 or 256

// `count` blocks to fp32, the same bits on every instruction set and as the reference; to bf16, rounded to nearest
// even.
void dequantize(BlockFormat format, const std::byte* blocks, std::size_t count, float* out);
void dequantize(BlockFormat format, const std::byte* blocks, std::size_t count, Bf16* out);

// y[t, r] = sum_c w[r, c] x[t, c] as kernels::matvec, where row r of w begins at rows[r]; cols is a multiple of
// block_elements(format). Reads each row once for up to four tokens. The weights are those dequantize gives, not
// rounded further, and x is fp32.
void matvec(BlockFormat format, const std::byte* const* rows, std::size_t count, const float* x, float* y,
            std::size_t tokens, std::size_t cols, std::size_t y_stride);

}  // namespace frugal::kernels
