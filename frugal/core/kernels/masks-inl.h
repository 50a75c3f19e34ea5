// Which weights of a piece take part, as lanes of all ones or zeros; compiled once per instruction set.
#if defined(FRUGAL_CORE_KERNELS_MASKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_MASKS_INL_H_
#undef FRUGAL_CORE_KERNELS_MASKS_INL_H_
#else
#define FRUGAL_CORE_KERNELS_MASKS_INL_H_
#endif

#include <cmath>

#include "frugal/core/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

inline void fill_random_mask(const Mask& mask, std::uint32_t tensor, const Piece& piece,
                             std::uint32_t* HWY_RESTRICT out) {
  halves(mask.key, tensor, Stream::mask, piece, out);
  const auto below = hn::Set(I32(), static_cast<std::int32_t>(std::lround(std::clamp(mask.density, 0.0, 1.0) * 65536)));
  for (std::size_t i = piece.begin / kLanes * kLanes; i < piece.end; i += kLanes) {
    const auto half = hn::BitCast(I32(), hn::Load(U32(), out + i));
    hn::Store(hn::BitCast(U32(), hn::VecFromMask(I32(), hn::Lt(half, below))), U32(), out + i);
  }
}

inline void fill_file_mask(const Mask& mask, const Piece& piece, std::uint32_t* HWY_RESTRICT out) {
  const std::uint8_t* bits = mask.bits + piece.index * (kChunk / 8);
  for (std::size_t byte = piece.begin / 8; byte * 8 < piece.end; ++byte) {
    for (std::uint32_t bit = 0; bit < 8; ++bit) out[byte * 8 + bit] = 0u - (bits[byte] >> bit & 1u);
  }
}

// w points at the piece's first weight; lanes of `out` outside the piece are undefined.
template <class W>
void fill_mask(const Mask& mask, std::uint32_t tensor, const W* w, const Piece& piece,
               std::uint32_t* HWY_RESTRICT out) {
  if (mask.rule == Mask::Rule::random) return fill_random_mask(mask, tensor, piece, out);
  if (mask.rule == Mask::Rule::file) return fill_file_mask(mask, piece, out);
  // Magnitudes compare as integers; a negative threshold is below every one of them.
  const auto threshold = hn::BitCast(I32(), hn::Set(F32(), mask.threshold + 0.0f));
  const VU flip = hn::Set(U32(), mask.rule == Mask::Rule::small ? 0xFFFFFFFF : 0);
  each_vector(piece.size(), [&](std::size_t i, auto span) HWY_ATTR {
    const auto size = hn::And(hn::BitCast(I32(), load(w + i, span)), hn::Set(I32(), 0x7FFFFFFF));
    const VU large = hn::BitCast(U32(), hn::VecFromMask(I32(), hn::Gt(size, threshold)));
    hn::StoreU(hn::Xor(large, flip), U32(), out + piece.begin + i);
  });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
