// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the one generator of the
// product. Every random number is a pure function of (key, counter); nothing is sequential.
#pragma once
#include <array>
#include <cstdint>

#include "frugal/base/streams.h"

namespace frugal {

using PhiloxBlock = std::array<std::uint32_t, 4>;

constexpr PhiloxBlock philox(PhiloxBlock c, std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

// Numbers 0..3 of block `block` of tensor `tensor` (any id) in `stream`.
constexpr PhiloxBlock philox(std::uint64_t key, std::uint64_t block, std::uint32_t tensor, Stream stream) {
  return philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), tensor,
                 static_cast<std::uint32_t>(stream)},
                key);
}

// The key of one (run seed, step, sample) triple; distinct triples give unrelated keys (a Philox block of its own).
constexpr std::uint64_t philox_key(std::uint64_t seed, std::uint64_t step, std::uint32_t sample = 0) {
  const PhiloxBlock b = philox({static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), sample,
                                static_cast<std::uint32_t>(Stream::key)},
                               seed);
  return b[0] | std::uint64_t{b[1]} << 32;
}

// A sequence for host code: shuffles, sampling. Copyable; its position is one number, so a run can resume it.
class PhiloxSequence {
 public:
  PhiloxSequence(std::uint64_t key, Stream stream, std::uint32_t id = 0) : key_(key), stream_(stream), id_(id) {}
  std::uint32_t next() {
    if (at_ % 4 == 0) block_ = philox(key_, at_ / 4, id_, stream_);
    return block_[at_++ % 4];
  }
  double uniform() { return (next() >> 8) * 0x1p-24; }  // [0, 1)
  // Unbiased integer in [0, bound), bound > 0 (Lemire, "Fast random integer generation in an interval", 2019).
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t m = std::uint64_t{next()} * bound;
    if (auto low = static_cast<std::uint32_t>(m); low < bound) {
      for (const std::uint32_t least = -bound % bound; low < least; low = static_cast<std::uint32_t>(m))
        m = std::uint64_t{next()} * bound;
    }
    return static_cast<std::uint32_t>(m >> 32);
  }

 private:
  std::uint64_t key_, at_ = 0;
  Stream stream_;
  std::uint32_t id_;
  PhiloxBlock block_{};
};

}  // namespace frugal
