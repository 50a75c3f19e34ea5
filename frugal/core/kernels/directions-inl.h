// z, scaled, for pieces of a chunk; compiled once per instruction set. No FMA, no libm: the same bits everywhere.
#if defined(FRUGAL_CORE_KERNELS_DIRECTIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_DIRECTIONS_INL_H_
#undef FRUGAL_CORE_KERNELS_DIRECTIONS_INL_H_
#else
#define FRUGAL_CORE_KERNELS_DIRECTIONS_INL_H_
#endif

#include "frugal/core/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// The fillers write whole blocks around [begin, end) of the chunk, at their place in z[kChunk].
inline void fill_signs(std::uint64_t key, std::uint32_t tensor, float scale, const Piece& piece,
                       float* HWY_RESTRICT z) {
  HWY_ALIGN std::uint32_t words[2 * kGroup];
  philox_words(key, tensor, Stream::direction, piece.index, 1, words);
  const VU size = hn::BitCast(U32(), hn::Set(F32(), scale)), sign = hn::Set(U32(), 0x80000000);
  for (std::size_t at = piece.begin / 16 * 16; at < piece.end; at += 16) {
    const int v = static_cast<int>(at / 16 % 32);
    for (std::size_t l = 0; l < 16; l += kLanes) {
      const VU x = hn::ShiftLeftSame(hn::Load(U32(), words + at / 512 * 16 + l), v);
      hn::Store(hn::BitCast(F32(), hn::Xor(size, hn::And(x, sign))), F32(), z + at + l);
    }
  }
}

// Sum of two table entries, picked by the two halves of a byte: mean 0 and symmetric exactly, variance 797.5,
// kurtosis 3.0002.
alignas(16) inline constexpr std::int8_t kLowTable[16] = {-55, -35, -25, -18, -12, -8, -4, -1,
                                                          1,   4,   8,   12,  18,  25, 35, 55};
alignas(16) inline constexpr std::int8_t kHighTable[16] = {-18, -15, -13, -11, -8, -6, -4, -1,
                                                           1,   4,   6,   8,   11, 13, 15, 18};

// The sum of four entries, two by each byte of 16 bits: mean 0 and symmetric exactly, variance 3493.5, kurtosis 3.006,
// largest 4.30 standard deviations. First byte: low, high nibble; second byte likewise.
alignas(16) inline constexpr std::int8_t kTables16[4][16] = {
    {-69, -34, -28, -23, -18, -16, -8, -2, 2, 8, 16, 18, 23, 28, 34, 69},
    {-58, -25, -20, -16, -11, -4, -2, -1, 1, 2, 4, 11, 16, 20, 25, 58},
    {-67, -27, -26, -18, -13, -11, -6, -4, 4, 6, 11, 13, 18, 26, 27, 67},
    {-60, -41, -36, -29, -26, -18, -16, -7, 7, 16, 18, 26, 29, 36, 41, 60}};

// |sum| <= 73 has 7 bits: with a scale of at most 17 bits the product is exact.
inline void fill_table(std::uint64_t key, std::uint32_t tensor, float scale, const Piece& piece,
                       float* HWY_RESTRICT z) {
  HWY_ALIGN std::uint32_t words[kChunk / 4 + kGroup];
  const std::size_t group = piece.begin / 128, groups = (piece.end + 127) / 128 - group;
  philox_words(key, tensor, Stream::direction, piece.index * (kChunk / 128) + group, groups, words);
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t i = piece.begin / 16 * 16; i < piece.end; ++i) {
    const std::size_t v = i / 16 % 4;
    const std::uint32_t byte = words[i / 64 * 16 + i % 16 - group * 32] >> (8 * v) & 0xFF;
    z[i] = static_cast<float>(kLowTable[byte & 15] + kHighTable[byte >> 4]) * scale;
  }
#else
  const hn::Repartition<std::int8_t, U32> d8;
  const auto low_table = hn::LoadDup128(d8, kLowTable), high_table = hn::LoadDup128(d8, kHighTable);
  const auto nibble = hn::Set(d8, 15);
  const VF scales = hn::Set(F32(), scale);
  for (std::size_t at = piece.begin / 64 * 64; at < piece.end; at += 64) {
    for (std::size_t l = 0; l < 16; l += kLanes) {
      const VU x = hn::Load(U32(), words + at / 4 - group * kGroup + l);
      const auto low = hn::And(hn::BitCast(d8, x), nibble);
      const auto high = hn::And(hn::BitCast(d8, hn::ShiftRight<4>(x)), nibble);
      const auto sums =
          hn::BitCast(I32(), hn::Add(hn::TableLookupBytes(low_table, low), hn::TableLookupBytes(high_table, high)));
      const auto write = [&](auto sum, float* to) HWY_ATTR {
        hn::Store(hn::Mul(hn::ConvertTo(F32(), hn::ShiftRight<24>(sum)), scales), F32(), to);
      };
      write(hn::ShiftLeft<24>(sums), z + at + l);
      write(hn::ShiftLeft<16>(sums), z + at + 16 + l);
      write(hn::ShiftLeft<8>(sums), z + at + 32 + l);
      write(sums, z + at + 48 + l);
    }
  }
#endif
}

// |sum| <= 254 has 8 bits: the product with a scale of 16 bits is exact.
inline void fill_table16(std::uint64_t key, std::uint32_t tensor, float scale, const Piece& piece,
                         float* HWY_RESTRICT z) {
  HWY_ALIGN std::uint32_t words[kChunk / 2 + kGroup];
  const std::size_t group = piece.begin / 64, groups = (piece.end + 63) / 64 - group;
  philox_words(key, tensor, Stream::direction, piece.index * (kChunk / 64) + group, groups, words);
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t i = piece.begin / 16 * 16; i < piece.end; ++i) {
    const std::uint32_t half = words[i / 32 * 16 + i % 16 - group * 32] >> (i / 16 % 2 * 16);
    int sum = 0;
    for (std::uint32_t table = 0; table < 4; ++table) sum += kTables16[table][half >> (4 * table) & 15];
    z[i] = static_cast<float>(sum) * scale;
  }
#else
  const hn::Repartition<std::int8_t, U32> d8;
  const auto nibble = hn::Set(d8, 15);
  const VF scales = hn::Set(F32(), scale);
  for (std::size_t at = piece.begin / 32 * 32; at < piece.end; at += 32) {
    for (std::size_t l = 0; l < 16; l += kLanes) {
      const VU x = hn::Load(U32(), words + at / 2 - group * kGroup + l);
      const auto low = hn::And(hn::BitCast(d8, x), nibble);
      const auto high = hn::And(hn::BitCast(d8, hn::ShiftRight<4>(x)), nibble);
      // Every byte by the first two tables, and every byte by the last two; of each half of a word the first byte
      // counts of the former, the second of the latter.
      const auto sums = [&](int table) HWY_ATTR {
        return hn::BitCast(I32(), hn::Add(hn::TableLookupBytes(hn::LoadDup128(d8, kTables16[table]), low),
                                          hn::TableLookupBytes(hn::LoadDup128(d8, kTables16[table + 1]), high)));
      };
      const auto first = sums(0), second = sums(2);
      const auto write = [&](auto one, auto other, float* to) HWY_ATTR {
        const auto sum = hn::Add(hn::ShiftRight<24>(one), hn::ShiftRight<24>(other));
        hn::Store(hn::Mul(hn::ConvertTo(F32(), sum), scales), F32(), to);
      };
      write(hn::ShiftLeft<24>(first), hn::ShiftLeft<16>(second), z + at + l);
      write(hn::ShiftLeft<8>(first), second, z + at + 16 + l);
    }
  }
#endif
}

// r = sqrt(-2 ln u) with u = (k + 1) 2^-24, k = 0 .. 2^24 - 1; so r lies in [0, 5.77].
// ln u = n ln 2 + ln(1 + x), 1 + x in [sqrt(1/2), sqrt(2)); minimax polynomial, error 8e-9 relative before rounding.
HWY_INLINE VF radius(VU k) {
  const auto bits = hn::BitCast(I32(), hn::ConvertTo(F32(), hn::BitCast(I32(), hn::Add(k, hn::Set(U32(), 1)))));
  const auto power = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(I32(), 0x3F3504F3)));
  const VF n = hn::ConvertTo(F32(), hn::Sub(power, hn::Set(I32(), 24)));
  const VF x = hn::Sub(hn::BitCast(F32(), hn::Sub(bits, hn::ShiftLeft<23>(power))), hn::Set(F32(), 1));
  VF p = hn::Set(F32(), -0.0763442963f);
  for (const float c :
       {0.127615497f, -0.131601945f, 0.142017618f, -0.166233569f, 0.200012267f, -0.250008225f, 0.333333313f}) {
    p = hn::Add(hn::Mul(p, x), hn::Set(F32(), c));
  }
  const VF square = hn::Mul(x, x);
  VF tail = hn::Mul(hn::Mul(square, x), p);
  tail = hn::Add(tail, hn::Mul(n, hn::Set(F32(), -0x1.BD0106p-13f)));  // ln 2 = 0.693359375 - 0.000212194440
  tail = hn::Sub(tail, hn::Mul(square, hn::Set(F32(), 0.5f)));
  const VF log = hn::Add(hn::Add(x, tail), hn::Mul(n, hn::Set(F32(), 0.693359375f)));
  return hn::Sqrt(hn::Mul(log, hn::Set(F32(), -2)));
}

// cos and sin of 2 pi (k + 1/2) 2^-24: the quadrant is the top two bits, the rest x in (-1/2, 1/2) quarter turns about
// its middle, so the values are symmetric exactly. Polynomials in x^2, error 6e-8 before rounding.
HWY_INLINE void cos_sin(VU k, VF& cosine, VF& sine) {
  const auto centred =
      hn::Sub(hn::BitCast(I32(), hn::And(hn::Add(k, k), hn::Set(U32(), 0x7FFFFE))), hn::Set(I32(), 0x3FFFFF));
  const VF x = hn::Mul(hn::ConvertTo(F32(), centred), hn::Set(F32(), 0x1p-23f)), y = hn::Mul(x, x);
  VF s = hn::Set(F32(), -0.00460217707f), c = hn::Set(F32(), 0.000903631735f);
  for (const float a : {0.0796802267f, -0.64596349f, 1.57079637f}) s = hn::Add(hn::Mul(s, y), hn::Set(F32(), a));
  for (const float a : {-0.0208600722f, 0.253669202f, -1.23370051f, 1.0f})
    c = hn::Add(hn::Mul(c, y), hn::Set(F32(), a));
  s = hn::Mul(s, x);
  // Angle = (quadrant + 1/2 + x) quarter turns: turn (c + s, c - s) / sqrt 2 by whole quarters.
  const VF half = hn::Set(F32(), 0.707106769f);
  const VF a = hn::Mul(hn::Sub(c, s), half), b = hn::Mul(hn::Add(c, s), half);
  const VU quadrant = hn::ShiftRight<22>(k), one = hn::Set(U32(), 1), sign = hn::Set(U32(), 0x80000000);
  const auto odd = hn::RebindMask(F32(), hn::Eq(hn::And(quadrant, one), one));
  const VU minus_cos = hn::And(hn::ShiftLeft<30>(hn::Add(quadrant, one)), sign),
           minus_sin = hn::And(hn::ShiftLeft<30>(quadrant), sign);
  cosine = hn::BitCast(F32(), hn::Xor(hn::BitCast(U32(), hn::IfThenElse(odd, b, a)), minus_cos));
  sine = hn::BitCast(F32(), hn::Xor(hn::BitCast(U32(), hn::IfThenElse(odd, a, b)), minus_sin));
}

// Box-Muller of 2 x 24 bits.
inline void fill_exact(std::uint64_t key, std::uint32_t tensor, float scale, const Piece& piece,
                       float* HWY_RESTRICT z) {
  HWY_ALIGN std::uint32_t words[kChunk + kGroup];
  const std::size_t group = piece.begin / kGroup, groups = (piece.end + kGroup - 1) / kGroup - group;
  philox_words(key, tensor, Stream::direction, piece.index * (kChunk / kGroup) + group, groups, words);
  const VF scales = hn::Set(F32(), scale);
  for (std::size_t at = 0; at < groups * kGroup; at += kGroup) {
    for (std::size_t l = 0; l < 16; l += kLanes) {
      const VF r = radius(hn::ShiftRight<8>(hn::Load(U32(), words + at + l)));
      VF c, s;
      cos_sin(hn::ShiftRight<8>(hn::Load(U32(), words + at + 16 + l)), c, s);
      float* to = z + group * kGroup + at + l;
      hn::Store(hn::Mul(hn::Mul(r, c), scales), F32(), to);
      hn::Store(hn::Mul(hn::Mul(r, s), scales), F32(), to + 16);
    }
  }
}

// z * scale for the weights of a piece, at their place in z[kChunk] (aligned to 64 bytes); elements outside are
// undefined. Tables: scale is that of the integer sums.
inline void fill(Direction direction, std::uint64_t key, std::uint32_t tensor, float scale, const Piece& piece,
                 float* HWY_RESTRICT z) {
  switch (direction) {
    case Direction::sign:
      return fill_signs(key, tensor, scale, piece, z);
    case Direction::gaussian:
      return fill_table(key, tensor, scale, piece, z);
    case Direction::gaussian16:
      return fill_table16(key, tensor, scale, piece, z);
    case Direction::gaussian_exact:
      return fill_exact(key, tensor, scale, piece, z);
  }
}

inline float step_scale(Direction direction, float eps) {
  return table_deviation(direction) == 1 ? eps : table_scale(direction, eps);
}
inline float unit_scale(Direction direction) { return static_cast<float>(table_deviation(direction)); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
