// A quantised block taken apart into 8-bit codes, scales and minimums.
#if defined(FRUGAL_CORE_KERNELS_BLOCK_PARTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_BLOCK_PARTS_INL_H_
#undef FRUGAL_CORE_KERNELS_BLOCK_PARTS_INL_H_
#else
#define FRUGAL_CORE_KERNELS_BLOCK_PARTS_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Value i is codes[i] * scales[i / kGroup] + minimums[i / kGroup]; formats without kMinimum leave the minimums alone.
template <std::size_t kElements_, std::size_t kGroup_, std::size_t kBytes_, bool kMinimum_>
struct BlockLayout {
  static constexpr std::size_t kElements = kElements_, kGroup = kGroup_, kBytes = kBytes_;
  static constexpr bool kMinimum = kMinimum_;
  struct Parts {
    alignas(64) std::int8_t codes[kElements];
    float scales[kElements / kGroup], minimums[kElements / kGroup];
  };
};

HWY_INLINE float half_at(const std::uint8_t* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  const hn::CappedTag<float, 1> one;
  const hn::Rebind<hwy::float16_t, decltype(one)> half;
  return hn::GetLane(hn::PromoteTo(one, hn::BitCast(half, hn::Set(hn::Rebind<std::uint16_t, decltype(one)>(), bits))));
}

using Bytes = hn::CappedTag<std::uint8_t, 16>;
using VB = hn::Vec<Bytes>;

// Codes 0..63 less an offset.
HWY_INLINE void store_codes(VB codes, int offset, std::int8_t* to) {
  const hn::RebindToSigned<Bytes> d;
  hn::StoreU(hn::Sub(hn::BitCast(d, codes), hn::Set(d, static_cast<std::int8_t>(offset))), d, to);
}
HWY_INLINE VB low_bits(VB v, int mask) { return hn::And(v, hn::Set(Bytes(), static_cast<std::uint8_t>(mask))); }
template <class Body>
HWY_INLINE void each_bytes(std::size_t n, const Body& body) {
  for (std::size_t i = 0; i < n; i += hn::Lanes(Bytes())) body(i);
}

// 16 in byte i of `out` where bit i of `bits` is set, else 0.
HWY_INLINE void spread_fifth(const std::uint8_t* bits, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t alone = bits[i] * 0x0101010101010101u & 0x8040201008040201u;
    const std::uint64_t spread = ((alone + 0x7F7F7F7F7F7F7F7Fu) & 0x8080808080808080u) >> 3;
    std::memcpy(out + 8 * i, &spread, 8);  // byte order of little-endian machines
  }
}

// Scale, perhaps a minimum, perhaps fifth bits, then nibbles (low: 0..15, high: 16..31).
template <bool kMinimum, bool kFifth>
struct Nibbles : BlockLayout<32, 32, 18 + 2 * kMinimum + 4 * kFifth, kMinimum> {
  using Parts = typename BlockLayout<32, 32, 18 + 2 * kMinimum + 4 * kFifth, kMinimum>::Parts;
  static HWY_INLINE void take(const std::uint8_t* in, Parts& out) {
    out.scales[0] = half_at(in);
    in += 2;
    if constexpr (kMinimum) out.minimums[0] = half_at(in), in += 2;
    constexpr int kOffset = kMinimum ? 0 : kFifth ? 16 : 8;
    std::uint8_t fifth[32];
    if constexpr (kFifth) spread_fifth(in, fifth), in += 4;
    each_bytes(16, [&](std::size_t i) HWY_ATTR {
      const VB both = hn::LoadU(Bytes(), in + i);
      VB low = low_bits(both, 15), high = hn::ShiftRight<4>(both);
      if constexpr (kFifth) {
        low = hn::Or(low, hn::LoadU(Bytes(), fifth + i));
        high = hn::Or(high, hn::LoadU(Bytes(), fifth + i + 16));
      }
      store_codes(low, kOffset, out.codes + i);
      store_codes(high, kOffset, out.codes + i + 16);
    });
  }
};

struct Q8_0 : BlockLayout<32, 32, 34, false> {
  static HWY_INLINE void take(const std::uint8_t* in, Parts& out) {
    out.scales[0] = half_at(in);
    std::memcpy(out.codes, in + 2, 32);
  }
};

// Super-blocks of 256: eight sub-blocks of 32, whose 6-bit scales and minimums lie in 12 bytes.
template <bool kFifth>
struct KNibbles : BlockLayout<256, 32, 144 + 32 * kFifth, true> {
  using Parts = typename BlockLayout<256, 32, 144 + 32 * kFifth, true>::Parts;
  static HWY_INLINE void take(const std::uint8_t* in, Parts& out) {
    const float d = half_at(in), dmin = half_at(in + 2);
    const std::uint8_t* s = in + 4;
    for (int j = 0; j < 4; ++j) {
      out.scales[j] = d * static_cast<float>(s[j] & 63);
      out.minimums[j] = -(dmin * static_cast<float>(s[j + 4] & 63));
      out.scales[j + 4] = d * static_cast<float>((s[j + 8] & 15) | s[j] >> 6 << 4);
      out.minimums[j + 4] = -(dmin * static_cast<float>(s[j + 8] >> 4 | s[j + 4] >> 6 << 4));
    }
    const std::uint8_t* fifth = in + 16;
    const std::uint8_t* q = kFifth ? fifth + 32 : fifth;
    for (std::size_t j = 0; j < 8; j += 2, q += 32) {
      each_bytes(32, [&](std::size_t i) HWY_ATTR {
        const VB both = hn::LoadU(Bytes(), q + i);
        VB low = low_bits(both, 15), high = hn::ShiftRight<4>(both);
        if constexpr (kFifth) {
          const VB bits = hn::LoadU(Bytes(), fifth + i);
          const VB one = hn::Set(Bytes(), static_cast<std::uint8_t>(1 << j)), other = hn::Add(one, one);
          const VB sixteen = hn::Set(Bytes(), 16);
          low = hn::Or(low, hn::IfThenElseZero(hn::TestBit(bits, one), sixteen));
          high = hn::Or(high, hn::IfThenElseZero(hn::TestBit(bits, other), sixteen));
        }
        store_codes(low, 0, out.codes + 32 * j + i);
        store_codes(high, 0, out.codes + 32 * j + 32 + i);
      });
    }
  }
};

struct Q6K : BlockLayout<256, 16, 210, false> {
  static HWY_INLINE void take(const std::uint8_t* in, Parts& out) {
    const float d = half_at(in + 208);
    for (int group = 0; group < 16; ++group)
      out.scales[group] = d * static_cast<float>(static_cast<std::int8_t>(in[192 + group]));
    for (int half = 0; half < 2; ++half) {
      const std::uint8_t *low = in + 64 * half, *high = in + 128 + 32 * half;
      std::int8_t* to = out.codes + 128 * half;
      each_bytes(32, [&](std::size_t i) HWY_ATTR {
        const VB first = hn::LoadU(Bytes(), low + i), second = hn::LoadU(Bytes(), low + i + 32);
        const VB top = hn::LoadU(Bytes(), high + i);
        store_codes(hn::Or(low_bits(first, 15), hn::ShiftLeft<4>(low_bits(top, 3))), 32, to + i);
        store_codes(hn::Or(low_bits(second, 15), hn::ShiftLeft<2>(low_bits(top, 12))), 32, to + i + 32);
        store_codes(hn::Or(hn::ShiftRight<4>(first), low_bits(top, 48)), 32, to + i + 64);
        store_codes(hn::Or(hn::ShiftRight<4>(second), low_bits(hn::ShiftRight<2>(top), 48)), 32, to + i + 96);
      });
    }
  }
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
