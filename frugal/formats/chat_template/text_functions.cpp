#include "frugal/formats/chat_template/text_functions.h"

#include <utf8proc.h>

#include "frugal/formats/tokenizer/utf8.h"

namespace frugal::chat_template {
namespace {

bool is_python_space(std::int32_t c) { return is_white_space(c) || (c >= 0x1c && c <= 0x1f); }

bool is_letter(std::int32_t c) {
  const auto category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT;
}

}  // namespace

std::string with_case(std::string_view text, Case wanted) {
  std::string out;
  bool starts = true;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (c.length == 1 && c.value >= 0x80) {
      out += text[at++];
      continue;
    }
    const bool is_first = starts && wanted != Case::lower;
    append_utf8(out, wanted == Case::upper || is_first ? utf8proc_toupper(c.value) : utf8proc_tolower(c.value));
    if (wanted == Case::title) {
      starts = !is_letter(c.value);
    } else if (wanted == Case::title_words) {
      starts = is_python_space(c.value) || std::string_view("-({[<").find(text[at]) != std::string_view::npos;
    } else {
      starts = false;
    }
    at += c.length;
  }
  return out;
}

std::string stripped(std::string_view text, std::optional<std::string_view> chars, bool left, bool right) {
  const auto goes = [&](std::size_t at, std::size_t length) {
    return chars ? chars->find(text.substr(at, length)) != std::string_view::npos
                 : is_python_space(code_point_at(text, at).value);
  };
  while (left && !text.empty()) {
    const std::size_t length = code_point_at(text, 0).length;
    if (!goes(0, length)) break;
    text.remove_prefix(length);
  }
  while (right && !text.empty()) {
    const std::size_t at = previous_code_point(text, text.size());
    if (!goes(at, text.size() - at)) break;
    text.remove_suffix(text.size() - at);
  }
  return std::string(text);
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator, std::int64_t most) {
  std::vector<std::string> out;
  const auto may_split = [&] { return most < 0 || static_cast<std::int64_t>(out.size()) < most; };
  if (separator) {
    std::size_t from = 0;
    for (std::size_t at; may_split() && (at = text.find(*separator, from)) != std::string_view::npos;
         from = at + separator->size()) {
      out.emplace_back(text.substr(from, at - from));
    }
    out.emplace_back(text.substr(from));
    return out;
  }
  std::string rest = stripped(text, std::nullopt, true, false);
  std::string_view left = rest;
  while (!left.empty()) {
    std::size_t end = 0;
    while (end < left.size() && !is_python_space(code_point_at(left, end).value))
      end += code_point_at(left, end).length;
    if (!may_split()) {
      out.push_back(stripped(left, std::nullopt, false, true));
      break;
    }
    out.emplace_back(left.substr(0, end));
    while (end < left.size() && is_python_space(code_point_at(left, end).value)) end += code_point_at(left, end).length;
    left.remove_prefix(end);
  }
  return out;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const bool ends = (c.value >= 0x0a && c.value <= 0x0d) || (c.value >= 0x1c && c.value <= 0x1e) || c.value == 0x85 ||
                      c.value == 0x2028 || c.value == 0x2029;
    std::size_t next = at + c.length;
    if (ends) {
      out.emplace_back(text.substr(from, at - from));
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      from = next;
    }
    at = next;
  }
  if (from < text.size()) out.emplace_back(text.substr(from));
  return out;
}

std::string replaced(std::string_view text, std::string_view old, std::string_view with, std::int64_t most,
                     std::size_t max_bytes) {
  std::string out;
  std::size_t from = 0;
  for (std::int64_t done = 0; (most < 0 || done < most) && out.size() <= max_bytes; ++done) {
    if (old.empty()) {  // between all characters
      out += with;
      if (from >= text.size()) break;
      const std::size_t length = code_point_at(text, from).length;
      out += text.substr(from, length);
      from += length;
      continue;
    }
    const std::size_t at = text.find(old, from);
    if (at == std::string_view::npos) break;
    (out += text.substr(from, at - from)) += with;
    from = at + old.size();
  }
  return out += text.substr(from);
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += code_point_at(text, at).length) ++count;
  return count;
}

}  // namespace frugal::chat_template
