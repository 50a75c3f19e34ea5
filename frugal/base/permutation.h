// A permutation that is computed and never stored: a Feistel network (Luby and Rackoff, SIAM J. Comput. 17, 1988) over
// the next power of two, walked until it lands inside (Black and Rogaway, CT-RSA 2002).
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "frugal/base/philox.h"

namespace frugal {

class Permutation {
 public:
  // Of [0, size), size > 0. A pure function of both arguments.
  Permutation(std::uint64_t size, std::uint64_t key) : size_(size) {
    const int bits = size < 5 ? 2 : std::bit_width(size - 1);
    low_bits_ = bits / 2;
    low_ = (std::uint64_t{1} << low_bits_) - 1;
    high_ = (std::uint64_t{1} << (bits - low_bits_)) - 1;
    for (std::size_t round = 0; round < keys_.size(); ++round)
      keys_[round] = philox_key(key, round, static_cast<std::uint32_t>(bits));
  }
  std::uint64_t size() const { return size_; }
  std::uint64_t operator()(std::uint64_t i) const {
    do i = once(i);
    while (i >= size_);  // less than twice on average
    return i;
  }

 private:
  // A 64-bit finaliser (Stafford's thirteenth): its high half is used.
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x >> 32;
  }
  std::uint64_t once(std::uint64_t i) const {
    std::uint64_t low = i & low_, high = i >> low_bits_;
    for (std::size_t round = 0; round < keys_.size(); round += 2) {
      high ^= mixed(low + keys_[round]) & high_;
      low ^= mixed(high + keys_[round + 1]) & low_;
    }
    return high << low_bits_ | low;
  }

  std::uint64_t size_, low_ = 0, high_ = 0;
  int low_bits_ = 0;
  std::array<std::uint64_t, 6> keys_{};
};

}  // namespace frugal
