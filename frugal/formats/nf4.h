// NF4, the 4-bit normal float of QLoRA (arXiv:2305.14314, section 3 and appendix E), in the layout of bitsandbytes:
// elements in row-major order, a scale for each 64 of them, two codes a byte, the earlier one in the high bits.
// Scales are plain fp32.
#pragma once
#include <array>
#include <cstdint>

namespace frugal::nf4 {

constexpr std::int64_t kBlock = 64;  // elements that share a scale
// Quantiles of the normal distribution, scaled to [-1, 1], with an exact 0.
constexpr std::array<float, 16> kCodes = {-1.0f,
                                          -0.6961928009986877f,
                                          -0.5250730514526367f,
                                          -0.39491748809814453f,
                                          -0.28444138169288635f,
                                          -0.18477343022823334f,
                                          -0.09105003625154495f,
                                          0.0f,
                                          0.07958029955625534f,
                                          0.16093020141124725f,
                                          0.24611230194568634f,
                                          0.33791524171829224f,
                                          0.44070982933044434f,
                                          0.5626170039176941f,
                                          0.7229568362236023f,
                                          1.0f};

constexpr std::int64_t code_bytes(std::int64_t elements) { return (elements + 1) / 2; }
constexpr std::int64_t blocks(std::int64_t elements) { return (elements + kBlock - 1) / kBlock; }

// n values to codes[code_bytes(n)] and absmax[blocks(n)]: the largest magnitude of each block, and for each value the
// code nearest to value / absmax, the lower of two equally near. A tensor may be encoded in parts of a multiple of 64.
// Error(Exit::input) names the first element that is not finite; the block it is in and later ones are not written.
void encode(const float* values, std::int64_t n, std::uint8_t* codes, float* absmax);

// Elements [begin, end) of the tensor to out[end - begin]: code times absmax, rounded once.
void decode(const std::uint8_t* codes, const float* absmax, std::int64_t begin, std::int64_t end, float* out);

}  // namespace frugal::nf4
