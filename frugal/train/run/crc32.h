// CRC-32 (ISO 3309, polynomial 0xEDB88320): finds torn and flipped records. Not a defence against an adversary.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace frugal {

// previous: the sum of what came before, so that a sum can go over several pieces.
inline std::uint32_t crc32(const void* bytes, std::size_t size, std::uint32_t previous = 0) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0xEDB88320u : 0);
    }
    return t;
  }();
  std::uint32_t sum = ~previous;
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) sum = sum >> 8 ^ table[(sum ^ at[i]) & 255];
  return ~sum;
}

}  // namespace frugal
