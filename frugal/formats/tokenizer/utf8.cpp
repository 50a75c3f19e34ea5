#include "frugal/formats/tokenizer/utf8.h"

#include <utf8proc.h>

#include <algorithm>

namespace frugal {
namespace {

const utf8proc_uint8_t* bytes(std::string_view text) { return reinterpret_cast<const utf8proc_uint8_t*>(text.data()); }

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t value = 0;
    const auto left = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - at, 4));
    const utf8proc_ssize_t length = utf8proc_iterate(bytes(text) + at, left, &value);
    if (length <= 0) break;
    at += static_cast<std::size_t>(length);
  }
  return at;
}

CodePoint code_point_at(std::string_view text, std::size_t at) {
  utf8proc_int32_t value = 0;
  const auto left = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - at, 4));
  const utf8proc_ssize_t length = utf8proc_iterate(bytes(text) + at, left, &value);
  if (length <= 0) return {static_cast<unsigned char>(text[at]), 1};
  return {value, static_cast<std::size_t>(length)};
}

std::size_t previous_code_point(std::string_view text, std::size_t at) {
  for (std::size_t length = 1; length <= 4 && length <= at; ++length) {
    if (valid_utf8_prefix(text.substr(at - length, length)) == length) return at - length;
  }
  return at - 1;
}

bool is_white_space(std::int32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

void append_utf8(std::string& out, std::int32_t code_point) {
  utf8proc_uint8_t buffer[4];
  const bool exists = code_point >= 0 && code_point <= 0x10ffff && !(code_point >= 0xd800 && code_point <= 0xdfff);
  const utf8proc_ssize_t length = utf8proc_encode_char(exists ? code_point : 0xfffd, buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(length));
}

}  // namespace frugal
