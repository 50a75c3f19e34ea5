// Sizes and times as people write them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

// "700MiB", "4GiB", "512MB", "1.5G" (binary), "1048576". Error(Exit::usage) for anything else, a negative or a size
// over 2^63.
Bytes parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);  // "2.30 GiB", "98.4 MiB", "512 B"
double parse_seconds(std::string_view text);    // "90s", "2h", "5m", "1.5"; Error(Exit::usage)
std::string format_seconds(double seconds);     // "2:05:09", "12:01", "4.2 s"

}  // namespace frugal
