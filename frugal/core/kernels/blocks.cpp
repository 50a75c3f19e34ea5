#include "frugal/core/kernels/blocks.h"

#include <algorithm>
#include <utility>

#include "frugal/core/kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "frugal/core/kernels/blocks.cpp"
#include "hwy/foreach_target.h"

#include "frugal/core/kernels/block_parts-inl.h"
#include "frugal/core/kernels/simd-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

template <class Body>
HWY_INLINE void with_layout(BlockFormat format, const Body& body) {
  switch (format) {
    case BlockFormat::q4_0:
      return body(Nibbles<false, false>());
    case BlockFormat::q4_1:
      return body(Nibbles<true, false>());
    case BlockFormat::q5_0:
      return body(Nibbles<false, true>());
    case BlockFormat::q5_1:
      return body(Nibbles<true, true>());
    case BlockFormat::q8_0:
      return body(Q8_0());
    case BlockFormat::q4_k:
      return body(KNibbles<false>());
    case BlockFormat::q5_k:
      return body(KNibbles<true>());
    case BlockFormat::q6_k:
      return body(Q6K());
  }
}

// kLanes values from element i on, inside one group. Product and sum are rounded each, as in the reference.
template <class L>
HWY_INLINE VF values(const typename L::Parts& parts, std::size_t i) {
  const hn::Rebind<std::int8_t, F32> bytes;
  const VF codes = hn::ConvertTo(F32(), hn::PromoteTo(I32(), hn::LoadU(bytes, parts.codes + i)));
  const VF scaled = hn::Mul(codes, hn::Set(F32(), parts.scales[i / L::kGroup]));
  if constexpr (L::kMinimum) return hn::Add(scaled, hn::Set(F32(), parts.minimums[i / L::kGroup]));
  return scaled;
}

template <class L, class T>
void write_values(const std::uint8_t* in, std::size_t count, T* out) {
  typename L::Parts parts;
  for (std::size_t block = 0; block < count; ++block, in += L::kBytes, out += L::kElements) {
    L::take(in, parts);
    for (std::size_t i = 0; i < L::kElements; i += kLanes) store(values<L>(parts, i), out + i, Whole{});
  }
}

constexpr std::size_t kAhead = 1024;  // bytes; past the end of w a prefetch does nothing

// One row times kTokens rows of x. Sums run in the same order for every kTokens, so a token's result does not depend on
// its company.
template <class L, int kTokens>
HWY_INLINE void row_times(const std::uint8_t* w, const float* x, float* y, std::size_t cols, std::size_t y_stride) {
  VF even[kTokens], odd[kTokens];
  for (int t = 0; t < kTokens; ++t) even[t] = odd[t] = hn::Zero(F32());
  typename L::Parts parts;
  for (std::size_t c = 0; c < cols; c += L::kElements, w += L::kBytes) {
    for (std::size_t line = 0; line < L::kBytes; line += 64)
      hwy::Prefetch(reinterpret_cast<const std::uint8_t*>(reinterpret_cast<std::uintptr_t>(w) + kAhead + line));
    L::take(w, parts);
    for (std::size_t i = 0; i < L::kElements; i += 2 * kLanes) {
      const VF a = values<L>(parts, i), b = values<L>(parts, i + kLanes);
      for (int t = 0; t < kTokens; ++t) {
        const float* from = x + static_cast<std::size_t>(t) * cols + c + i;
        even[t] = hn::MulAdd(a, hn::LoadU(F32(), from), even[t]);
        odd[t] = hn::MulAdd(b, hn::LoadU(F32(), from + kLanes), odd[t]);
      }
    }
  }
  for (int t = 0; t < kTokens; ++t) y[static_cast<std::size_t>(t) * y_stride] = sum_lanes(hn::Add(even[t], odd[t]));
}

template <class L>
void rows_times(const std::byte* const* rows, std::size_t count, const float* x, float* y, std::size_t tokens,
                std::size_t cols, std::size_t y_stride) {
  by_fours(tokens, [&](auto together, std::size_t t) HWY_ATTR {
    for (std::size_t r = 0; r < count; ++r)
      row_times<L, together>(reinterpret_cast<const std::uint8_t*>(rows[r]), x + t * cols, y + t * y_stride + r, cols,
                             y_stride);
  });
}

void dequantize_to_float(BlockFormat format, const std::byte* in, std::size_t count, float* out) {
  with_layout(format,
              [&]<class L>(L) HWY_ATTR { write_values<L>(reinterpret_cast<const std::uint8_t*>(in), count, out); });
}
void dequantize_to_bf16(BlockFormat format, const std::byte* in, std::size_t count, Bf16* out) {
  with_layout(format,
              [&]<class L>(L) HWY_ATTR { write_values<L>(reinterpret_cast<const std::uint8_t*>(in), count, out); });
}
void matvec_blocks(BlockFormat format, const std::byte* const* rows, std::size_t count, const float* x, float* y,
                   std::size_t tokens, std::size_t cols, std::size_t y_stride) {
  with_layout(format, [&]<class L>(L) HWY_ATTR { rows_times<L>(rows, count, x, y, tokens, cols, y_stride); });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace frugal::kernels {

HWY_EXPORT(dequantize_to_float);
HWY_EXPORT(dequantize_to_bf16);
HWY_EXPORT(matvec_blocks);

std::optional<BlockFormat> find_block_format(std::string_view type) {
  constexpr std::pair<std::string_view, BlockFormat> kNames[] = {
      {"Q4_0", BlockFormat::q4_0}, {"Q4_1", BlockFormat::q4_1}, {"Q5_0", BlockFormat::q5_0},
      {"Q5_1", BlockFormat::q5_1}, {"Q8_0", BlockFormat::q8_0}, {"Q4_K", BlockFormat::q4_k},
      {"Q5_K", BlockFormat::q5_k}, {"Q6_K", BlockFormat::q6_k}};
  for (const auto& [name, format] : kNames) {
    if (name == type) return format;
  }
  return std::nullopt;
}

std::size_t block_elements(BlockFormat format) { return format >= BlockFormat::q4_k ? 256 : 32; }

void dequantize(BlockFormat format, const std::byte* blocks, std::size_t count, float* out) {
  FRUGAL_DISPATCH(dequantize_to_float)(format, blocks, count, out);
}
void dequantize(BlockFormat format, const std::byte* blocks, std::size_t count, Bf16* out) {
  FRUGAL_DISPATCH(dequantize_to_bf16)(format, blocks, count, out);
}
void matvec(BlockFormat format, const std::byte* const* rows, std::size_t count, const float* x, float* y,
            std::size_t tokens, std::size_t cols, std::size_t y_stride) {
  FRUGAL_DISPATCH(matvec_blocks)(format, rows, count, x, y, tokens, cols, y_stride);
}

}  // namespace frugal::kernels
#endif
