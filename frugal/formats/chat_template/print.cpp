// Values as text: Python's str() and repr(), and json.dumps().
#include <array>
#include <charconv>
#include <cmath>

#include "frugal/formats/chat_template/value.h"

namespace frugal::chat_template {
namespace {

// Python's repr of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
std::string real_text(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  std::array<char, 512> buffer;
  const double size = std::fabs(x);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), x,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), end.ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

// Text is appended to one string, whose size is watched as it grows: shared parts can be printed more often than they
// were made.
class Printer {
 public:
  explicit Printer(Context& context) : context_(context) {}
  std::string take() { return std::move(out_); }

  void repr(const Value& value) {
    if (const std::string* text = value.text()) return put(python_quoted(*text));
    if (const List* items = value.list()) {
      put("[");
      for (std::size_t i = 0; i < items->size(); ++i) {
        if (i > 0) put(", ");
        repr((*items)[i]);
      }
      return put("]");
    }
    if (const Entries* entries = value.dict()) {
      put("{");
      for (std::size_t i = 0; i < entries->size(); ++i) {
        put(i > 0 ? ", " : "");
        put(python_quoted((*entries)[i].first));
        put(": ");
        repr((*entries)[i].second);
      }
      return put("}");
    }
    if (value.is_undefined()) return put("Undefined");
    str(value);
  }

  void str(const Value& value) {
    if (const std::string* text = value.text()) return put(*text);
    if (value.list() || value.dict()) return repr(value);
    if (value.is_undefined()) return;
    if (value.is_none()) return put("None");
    if (const bool* flag = value.get<bool>()) return put(*flag ? "True" : "False");
    if (const auto* integer = value.get<std::int64_t>()) return put(std::to_string(*integer));
    if (const double* real = value.get<double>()) return put(real_text(*real));
    context_.unsupported("printing a " + std::string(value.type_name()));
  }

  void json(const Value& value, int indent, int level) {
    if (const std::string* text = value.text()) return put(json_quoted(*text));
    if (const List* items = value.list()) {
      if (items->empty()) return put("[]");
      put("[");
      for (std::size_t i = 0; i < items->size(); ++i) {
        separate(i, indent, level + 1);
        json((*items)[i], indent, level + 1);
      }
      new_line(indent, level);
      return put("]");
    }
    if (const Entries* entries = value.dict()) {
      if (entries->empty()) return put("{}");
      put("{");
      for (std::size_t i = 0; i < entries->size(); ++i) {
        separate(i, indent, level + 1);
        put(json_quoted((*entries)[i].first));
        put(": ");
        json((*entries)[i].second, indent, level + 1);
      }
      new_line(indent, level);
      return put("}");
    }
    if (value.is_none()) return put("null");
    if (const bool* flag = value.get<bool>()) return put(*flag ? "true" : "false");
    if (const double* real = value.get<double>(); real && !std::isfinite(*real)) {
      return put(std::isnan(*real) ? "NaN" : *real > 0 ? "Infinity" : "-Infinity");
    }
    if (!value.is_number()) context_.fail("tojson of a value of type " + std::string(value.type_name()));
    str(value);
  }

 private:
  void put(std::string_view text) {
    context_.step(1 + text.size() / 64);
    if (out_.size() + text.size() > kMaxText) context_.text(out_.size() + text.size());  // fails
    out_ += text;
  }

  void separate(std::size_t i, int indent, int level) {
    if (i > 0) put(indent < 0 ? ", " : ",");
    new_line(indent, level);
  }
  void new_line(int indent, int level) {
    if (indent < 0) return;
    put("\n");
    put(std::string(static_cast<std::size_t>(indent * level), ' '));
  }

  static std::string hex(unsigned char c, const char* prefix) {
    constexpr char digits[] = "0123456789abcdef";
    return std::string(prefix) + digits[c >> 4] + digits[c & 15];
  }

  static std::string python_quoted(const std::string& text) {
    const char quote = text.find('\'') != std::string::npos && text.find('"') == std::string::npos ? '"' : '\'';
    std::string out(1, quote);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == quote || c == '\\') {
        (out += '\\') += c;
      } else if (c == '\n') {
        out += "\\n";
      } else if (c == '\r') {
        out += "\\r";
      } else if (c == '\t') {
        out += "\\t";
      } else if (byte < 0x20 || byte == 0x7f) {
        out += hex(byte, "\\x");
      } else {
        out += c;
      }
    }
    return out + quote;
  }

  static std::string json_quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      constexpr std::string_view special = "\"\\\n\r\t\f\b", names = "\"\\nrtfb";
      const std::size_t at = special.find(c);
      if (at != std::string_view::npos) {
        (out += '\\') += names[at];
      } else if (byte < 0x20) {
        out += hex(byte, "\\u00");
      } else {
        out += c;
      }
    }
    return out + "\"";
  }

  Context& context_;
  std::string out_;
};

}  // namespace

std::string to_text(const Value& value, Context& context) {
  Printer printer(context);
  printer.str(value);
  return printer.take();
}

std::string to_json_text(const Value& value, int indent, Context& context) {
  Printer printer(context);
  printer.json(value, indent, 0);
  return printer.take();
}

}  // namespace frugal::chat_template
