// Python's functions of text that templates use. Text is UTF-8; bytes that are not are left as they are.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal::chat_template {

enum class Case {
  upper,
  lower,
  capitalize,
  title,
  title_words
};  // title_words: only after white space and opening brackets

// One character becomes one character ("ß" stays in upper case).
std::string with_case(std::string_view text, Case wanted);
// chars none: white space; otherwise the set of characters to take away.
std::string stripped(std::string_view text, std::optional<std::string_view> chars, bool left, bool right);
// separator none: runs of white space. most < 0: no limit on the number of splits.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator, std::int64_t most);
std::vector<std::string> split_lines(std::string_view text);
std::string replaced(std::string_view text, std::string_view old, std::string_view with, std::int64_t most,
                     std::size_t max_bytes);
std::size_t code_points(std::string_view text);

}  // namespace frugal::chat_template
