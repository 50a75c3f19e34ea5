#include "frugal/cli/report/picture.h"

#include <algorithm>
#include <array>
#include <string>

namespace frugal::report {
namespace {

constexpr std::size_t kLongestSide = 8192;

std::string decoded(std::string_view base64) {  // empty: not base64
  static const std::array<int, 256> values = [] {
    std::array<int, 256> table;
    table.fill(-1);
    int value = 0;
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
      table[static_cast<unsigned char>(c)] = value++;
    return table;
  }();
  if (base64.empty() || base64.size() % 4 != 0) return {};
  const std::size_t padding = base64.ends_with("==") ? 2 : base64.ends_with("=") ? 1 : 0;
  std::string out;
  out.reserve(base64.size() / 4 * 3);
  unsigned bits = 0;
  for (std::size_t i = 0; i < base64.size(); ++i) {
    const int value = i >= base64.size() - padding ? 0 : values[static_cast<unsigned char>(base64[i])];
    if (value < 0) return {};
    bits = bits << 6 | static_cast<unsigned>(value);
    if (i % 4 == 3)
      for (const int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift & 0xFF);
  }
  out.resize(out.size() - padding);
  return out;
}

std::size_t number_at(std::string_view bytes, std::size_t at, std::size_t length) {  // big-endian
  std::size_t value = 0;
  for (std::size_t i = 0; i < length; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// The signature, then the chunk IHDR: length, name, width, height.
std::optional<PictureSize> png_size(std::string_view file) {
  constexpr std::string_view kStart("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
  if (!file.starts_with(kStart) || file.size() < 33) return {};
  return PictureSize{number_at(file, 16, 4), number_at(file, 20, 4)};
}

// Segments up to the start of a frame (ITU-T T.81, B.2.2): FF, marker, length, precision, height, width.
std::optional<PictureSize> jpeg_size(std::string_view file) {
  if (!file.starts_with("\xFF\xD8")) return {};
  for (std::size_t at = 2; at + 9 <= file.size();) {
    if (file[at] != '\xFF') return {};
    const auto marker = static_cast<unsigned char>(file[at + 1]);
    if (marker == 0xFF) {  // fill
      ++at;
      continue;
    }
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) return PictureSize{number_at(file, at + 7, 2), number_at(file, at + 5, 2)};
    const std::size_t length = number_at(file, at + 2, 2);
    if (length < 2 || marker == 0xDA || marker == 0xD9) return {};
    at += 2 + length;
  }
  return {};
}

}  // namespace

std::optional<PictureSize> picture_size(std::string_view type, std::string_view base64) {
  const std::string file = decoded(base64);
  const auto size = type == "image/png" ? png_size(file) : type == "image/jpeg" ? jpeg_size(file) : std::nullopt;
  if (!size || std::min(size->width, size->height) == 0 || std::max(size->width, size->height) > kLongestSide)
    return {};
  return size;
}

}  // namespace frugal::report
