#include "frugal/cli/report/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "frugal/base/units.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal::report {
namespace {

constexpr std::size_t kLongest = 600;  // bytes of one value
constexpr int kDeepest = 6;            // levels of one value
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_plain(std::string& out, const Json& value, int depth) {
  if (out.size() > kLongest) return;
  if (!value.is_structured()) {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  const auto [open, close] = value.is_array() ? std::pair('[', ']') : std::pair('{', '}');
  out += open;
  if (depth == kDeepest && !value.empty()) {
    out += "...";
  } else {
    bool is_first = true;
    for (auto it = value.begin(); it != value.end() && out.size() <= kLongest; ++it) {
      if (!is_first) out += ", ";
      is_first = false;
      if (value.is_object()) out += Json(it.key()).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      append_plain(out, *it, depth + 1);
    }
  }
  out += close;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    for (const char c : text.substr(0, valid)) {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        case '\'':
          out += "&#39;";
          break;
        default:
          if ((static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
            out += kReplacement;
          else
            out += c;
      }
    }
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += kReplacement;
    text.remove_prefix(1);
  }
  return out;
}

std::string count(double value) {
  char text[400];
  std::snprintf(text, sizeof text, "%.0f", value);
  std::string digits = text;
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string number(double value) {
  if (!std::isfinite(value)) return "?";
  if (value == std::floor(value) && std::abs(value) < 1e15) return count(value);
  char text[40];
  std::snprintf(text, sizeof text, std::abs(value) < 1e-3 ? "%.3e" : "%.4g", value);
  const std::string out = text;
  const std::size_t exponent = out.find('e');
  if (exponent == std::string::npos) return out;
  std::string digits = out.substr(0, exponent), power = out.substr(exponent + 1);  // "5.000e-05" -> "5e-5"
  if (digits.find('.') != std::string::npos) digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.ends_with('.')) digits.pop_back();
  const bool is_negative = power.starts_with('-');
  power.erase(0, power.find_first_not_of("+-0"));
  return digits + "e" + (is_negative ? "-" : "") + power;
}

std::string metric(double value) {
  if (!(std::abs(value) >= 1e-3 && std::abs(value) < 100)) return number(value);
  char text[40];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e12)) return "?";
  if (seconds >= 60) return format_seconds(seconds);
  char text[40];
  if (seconds > 0 && seconds < 1e-3)
    std::snprintf(text, sizeof text, "%.3g \xC2\xB5s", 1e6 * seconds);
  else
    std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

std::string memory(double bytes) {
  return bytes >= 0 && bytes < 0x1p63 ? format_bytes(static_cast<std::uint64_t>(bytes)) : "?";
}

std::string plain(const Json& value) {
  std::string out;
  if (value.is_string())
    out = value.get_ref<const std::string&>();
  else
    append_plain(out, value, 0);
  if (out.size() <= kLongest) return out;
  out.resize(kLongest);
  out.resize(valid_utf8_prefix(out));
  return out + "...";
}

std::string words_of(std::string_view key) {
  if (key == "lr") return "learning rate";
  if (key == "f1") return "F1";
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string title_of(std::string_view key) {
  std::string text = words_of(key);
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string one_of(std::string_view name) {
  const bool has_vowel = !name.empty() && std::string_view("aeiou").find(name.front()) != std::string_view::npos;
  return (has_vowel ? "an " : "a ") + std::string(name);
}

std::string name_ending(const std::string& name) {
  constexpr std::size_t kShown = 16;
  if (name.size() <= kShown) return name;
  std::size_t at = name.size() - kShown;
  while (at < name.size() && (static_cast<unsigned char>(name[at]) & 0xC0) == 0x80) ++at;
  return "\xE2\x80\xA6" + name.substr(at);
}

std::string shell_word(std::string_view text) {
  const bool is_safe = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_-./:=,+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_safe) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace frugal::report
