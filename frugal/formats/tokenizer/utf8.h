// What tokenizers and chat templates need to know about UTF-8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

// Length in bytes of the longest prefix that is valid UTF-8 (no surrogates, no overlong forms).
std::size_t valid_utf8_prefix(std::string_view text);

// The code point at `at` and its length in bytes; an invalid byte is itself, length 1. at < text.size().
struct CodePoint {
  std::int32_t value = 0;
  std::size_t length = 1;
};
CodePoint code_point_at(std::string_view text, std::size_t at);
// Start of the code point that ends before `at`; at > 0.
std::size_t previous_code_point(std::string_view text, std::size_t at);

bool is_white_space(std::int32_t code_point);  // Unicode property White_Space

void append_utf8(std::string& out, std::int32_t code_point);  // code points that do not exist become U+FFFD

}  // namespace frugal
