// How random bits meet weights. A tensor's elements are cut into chunks of 1,024 from element 0. A stream's Philox
// blocks 0, 1, 2, ... are taken in groups of 8; a group is 32 words: x0 and x1 of its 8 blocks in turn, then x2 and x3
// in turn. In blocks of 16 words (64 bytes), l counting words:
//   sign            512 weights a block: weight 16 v + l = bit 31 - v of word l, 1 means -1
//   gaussian         64 weights a block: weight 16 v + l = byte v (from the low end) of word l
//   gaussian16       32 weights a block: weight 16 v + l = 16-bit half v (from the low end) of word l
//   gaussian_exact   32 weights two blocks (one group): words l and 16 + l make weights l (cosine) and 16 + l (sine)
//   rounding, mask   32 weights a block: weight 16 v + l = 16-bit half v (from the low end) of word l
// So the bits of a weight depend on its index alone, never on vector width or on how a tensor is cut into ranges.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace frugal::kernels {

inline constexpr std::size_t kChunk = 1024;  // weights
inline constexpr std::size_t kGroup = 32;    // words of one Philox group

// Elements [begin, end) of chunk `index`; `offset`: where `begin` lies in the caller's range.
struct Piece {
  std::uint64_t index;
  std::size_t begin, end, offset;
  std::size_t size() const { return end - begin; }
};

template <class Body>
void each_piece(std::uint64_t first, std::size_t n, const Body& body) {
  for (std::size_t done = 0; done < n;) {
    const std::size_t begin = (first + done) % kChunk, end = std::min(kChunk, begin + (n - done));
    body(Piece{(first + done) / kChunk, begin, end, done});
    done += end - begin;
  }
}

}  // namespace frugal::kernels
