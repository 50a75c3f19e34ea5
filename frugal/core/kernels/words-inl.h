// Philox words in the order chunk.h describes; compiled once per instruction set.
#if defined(FRUGAL_CORE_KERNELS_WORDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FRUGAL_CORE_KERNELS_WORDS_INL_H_
#undef FRUGAL_CORE_KERNELS_WORDS_INL_H_
#else
#define FRUGAL_CORE_KERNELS_WORDS_INL_H_
#endif

#include "frugal/base/philox.h"
#include "frugal/core/kernels/chunk.h"
#include "frugal/core/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace frugal::kernels::HWY_NAMESPACE {

// The words of `groups` groups from `first_group` on. `out` has room for one group more, which may be overwritten.
inline void philox_words(std::uint64_t key, std::uint32_t tensor, Stream stream, std::uint64_t first_group,
                         std::size_t groups, std::uint32_t* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t block = 0; block < 8 * groups; ++block) {
    const PhiloxBlock x = philox(key, 8 * first_group + block, tensor, stream);
    std::uint32_t* at = out + block / 8 * kGroup + block % 8 * 2;
    at[0] = x[0], at[1] = x[1], at[16] = x[2], at[17] = x[3];
  }
#else
  // One block a 64-bit lane. Only the low halves of c0..c3 count: what is left in the high halves is never read.
  const hn::Repartition<std::uint64_t, U32> d64;
  const std::size_t blocks = hn::Lanes(d64);
  std::uint64_t key0[10], key1[10];
  for (std::uint32_t round = 0; round < 10; ++round) {
    key0[round] = static_cast<std::uint32_t>(key) + round * 0x9E3779B9u;
    key1[round] = static_cast<std::uint32_t>(key >> 32) + round * 0xBB67AE85u;
  }
  const auto m0 = hn::Set(U32(), 0xD2511F53), m1 = hn::Set(U32(), 0xCD9E8D57);
  const auto low64 = hn::Set(d64, 0xFFFFFFFF);
  const auto write = [&](std::size_t block, auto c0, auto c1, auto c2, auto c3) {
    std::uint32_t* at = out + block / 8 * kGroup + block % 8 * 2;
    hn::StoreU(hn::BitCast(U32(), hn::Or(hn::And(c0, low64), hn::ShiftLeft<32>(c1))), U32(), at);
    hn::StoreU(hn::BitCast(U32(), hn::Or(hn::And(c2, low64), hn::ShiftLeft<32>(c3))), U32(), at + 16);
  };
  for (std::size_t block = 0; block < 8 * groups;
       block += 2 * blocks) {  // two vectors at once hide the latency of the products
    auto a0 = hn::Add(hn::Set(d64, 8 * first_group + block), hn::Iota(d64, 0));
    auto b0 = hn::Add(a0, hn::Set(d64, blocks));
    auto a1 = hn::ShiftRight<32>(a0), b1 = hn::ShiftRight<32>(b0);
    auto a2 = hn::Set(d64, tensor), b2 = a2;
    auto a3 = hn::Set(d64, static_cast<std::uint32_t>(stream)), b3 = a3;
    for (int round = 0; round < 10; ++round) {
      const auto k0 = hn::Set(d64, key0[round]), k1 = hn::Set(d64, key1[round]);
      const auto pa = hn::MulEven(hn::BitCast(U32(), a0), m0), qa = hn::MulEven(hn::BitCast(U32(), a2), m1);
      const auto pb = hn::MulEven(hn::BitCast(U32(), b0), m0), qb = hn::MulEven(hn::BitCast(U32(), b2), m1);
      a0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(qa), a1), k0);
      b0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(qb), b1), k0);
      a2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(pa), a3), k1);
      b2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(pb), b3), k1);
      a1 = qa, b1 = qb, a3 = pa, b3 = pb;
    }
    write(block, a0, a1, a2, a3);
    write(block + blocks, b0, b1, b2, b3);
  }
#endif
}

// 16 random bits for each weight of a piece, at its place in the chunk; whole blocks of 32 around the piece are
// written.
inline void halves(std::uint64_t key, std::uint32_t tensor, Stream stream, const Piece& piece,
                   std::uint32_t* HWY_RESTRICT out) {
  HWY_ALIGN std::uint32_t words[kChunk / 2 + kGroup];
  const std::size_t group = piece.begin / 64, groups = (piece.end + 63) / 64 - group;
  philox_words(key, tensor, stream, piece.index * (kChunk / 64) + group, groups, words);
  for (std::size_t block = 0; block < 2 * groups; ++block) {
    std::uint32_t* at = out + group * 64 + block * 32;
    for (std::size_t l = 0; l < 16; l += kLanes) {
      const VU x = hn::LoadU(U32(), words + block * 16 + l);
      hn::StoreU(hn::And(x, hn::Set(U32(), 0xFFFF)), U32(), at + l);
      hn::StoreU(hn::ShiftRight<16>(x), U32(), at + 16 + l);
    }
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace frugal::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
