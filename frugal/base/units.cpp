#include "frugal/base/units.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "frugal/base/error.h"

namespace frugal {
namespace {

// Splits "1.5GiB" into 1.5 and "gib". Returns false when there is no number in front.
bool split(std::string_view text, double& number, std::string& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return false;
  for (const char* c = end; c != text.data() + text.size(); ++c) {
    if (*c != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  return true;
}

}  // namespace

Bytes parse_bytes(std::string_view text) {
  constexpr std::pair<std::string_view, double> units[] = {
      {"", 1},     {"b", 1},      {"k", 0x1p10},   {"kib", 0x1p10}, {"kb", 1e3},   {"m", 0x1p20},   {"mib", 0x1p20},
      {"mb", 1e6}, {"g", 0x1p30}, {"gib", 0x1p30}, {"gb", 1e9},     {"t", 0x1p40}, {"tib", 0x1p40}, {"tb", 1e12}};
  double number = 0;
  std::string unit;
  if (split(text, number, unit)) {
    for (const auto& [name, scale] : units) {
      if (name == unit && number * scale < 0x1p63)
        return Bytes{static_cast<std::uint64_t>(std::llround(number * scale))};
    }
  }
  throw Error(Exit::usage, "'" + std::string(text) + "' is not a size", "write it like 700MiB, 4GiB or 512MB");
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> names = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < names.size()) value /= 1024, ++unit;
  char text[32];
  std::snprintf(text, sizeof text,
                unit == 0     ? "%.0f %s"
                : value < 10  ? "%.2f %s"
                : value < 100 ? "%.1f %s"
                              : "%.0f %s",
                value, names[unit]);
  return text;
}

double parse_seconds(std::string_view text) {
  double number = 0;
  std::string unit;
  if (split(text, number, unit)) {
    if (unit.empty() || unit == "s") return number;
    if (unit == "m" || unit == "min") return number * 60;
    if (unit == "h") return number * 3600;
    if (unit == "d") return number * 86400;
  }
  throw Error(Exit::usage, "'" + std::string(text) + "' is not a time", "write it like 90s, 5m or 2h");
}

std::string format_seconds(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(seconds);
  if (seconds < 60)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

}  // namespace frugal
