#include "frugal/formats/chat_template/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "frugal/formats/chat_template/value.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal::chat_template {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Jinja reads every kind of line end as "\n", and drops one at the very end.
std::string with_plain_lines(std::string_view source) {
  std::string out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_lines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = find_tag(at_);
      const bool is_end = tag == std::string::npos;
      const char kind = is_end ? '\0' : source_[tag + 1];
      const char sign = is_end || tag + 2 >= source_.size() ? '\0' : source_[tag + 2];
      const std::size_t begin = at_;
      add_data(begin, is_end ? source_.size() : tag, kind, sign);
      if (is_end) break;
      move_to(tag + 2 + (sign == '-' || (sign == '+' && kind != '{') ? 1 : 0));
      if (kind == '#') {
        comment();
      } else if (kind == '%' && raw()) {
        continue;
      } else {
        tokens_of_tag(kind == '{');
      }
    }
    add(Token::Type::end, "");
    return std::move(tokens_);
  }

 private:
  std::size_t find_tag(std::size_t from) const {
    for (std::size_t at = from; (at = source_.find('{', at)) != std::string::npos; ++at) {
      const char next = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return std::string::npos;
  }

  void move_to(std::size_t to) {
    context_.line += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  void add(Token::Type type, std::string text) { tokens_.push_back({type, std::move(text), context_.line}); }

  // Text [begin, end) before a tag of `kind` ('{', '%', '#' or 0 for the end) that opens with `sign`.
  void add_data(std::size_t begin, std::size_t end, char kind, char sign) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    } else if (sign != '+' && (kind == '%' || kind == '#')) {
      const std::size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
      const bool starts_line = line > 0 || line_starts_;
      if (starts_line && text.find_first_not_of(" \t", line) == std::string_view::npos) text = text.substr(0, line);
    }
    if (!text.empty()) add(Token::Type::data, std::string(text));
    move_to(end);
  }

  // After the closing characters of a tag: what its sign and trim_blocks take away.
  void close(char sign, bool trims) {
    const std::size_t begin = at_;
    std::size_t end = begin;
    if (sign == '-') {
      while (end < source_.size() && is_space(source_[end])) ++end;
    } else if (trims && sign != '+' && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    line_starts_ = end > begin && source_[end - 1] == '\n';
    move_to(end);
  }

  void comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) context_.fail("a comment is not closed by #}");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    move_to(end + 2);
    close(sign, true);
  }

  // {% raw %} ... {% endraw %}, the text between them as it is. False: not at such a tag.
  bool raw() {
    std::size_t at = skip_word(at_, "raw");
    if (at == std::string::npos) return false;
    const char sign = at < source_.size() ? source_[at] : '\0';
    if (sign == '-') ++at;
    if (source_.compare(at, 2, "%}") != 0) return false;
    move_to(at + 2);
    close(sign, false);
    for (std::size_t tag = at_; (tag = source_.find("{%", tag)) != std::string::npos; ++tag) {
      const char open = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      std::size_t end = skip_word(tag + 2 + (open == '-' || open == '+' ? 1 : 0), "endraw");
      if (end == std::string::npos) continue;
      const char shut = end < source_.size() ? source_[end] : '\0';
      if (shut == '-' || shut == '+') ++end;
      if (source_.compare(end, 2, "%}") != 0) continue;
      add_data(at_, tag, '%', open);
      move_to(end + 2);
      close(shut, true);
      return true;
    }
    context_.fail("raw is not closed by endraw");
  }

  std::size_t skip_word(std::size_t at, std::string_view word) const {
    while (at < source_.size() && is_space(source_[at])) ++at;
    if (source_.compare(at, word.size(), word) != 0) return std::string::npos;
    at += word.size();
    while (at < source_.size() && is_space(source_[at])) ++at;
    return at;
  }

  void tokens_of_tag(bool is_output) {
    const char last = is_output ? '}' : '%';
    add(is_output ? Token::Type::output_begin : Token::Type::block_begin, "");
    std::string open;  // brackets
    for (;;) {
      while (at_ < source_.size() && is_space(source_[at_])) move_to(at_ + 1);
      if (at_ >= source_.size()) context_.fail(is_output ? "{{ is not closed by }}" : "{% is not closed by %}");
      const char c = source_[at_], next = peek(1);
      const bool is_signed = (c == '-' || (c == '+' && !is_output)) && next == last && peek(2) == '}';
      if (is_signed || (open.empty() && c == last && next == '}')) {
        add(is_output ? Token::Type::output_end : Token::Type::block_end, "");
        move_to(at_ + (is_signed ? 3 : 2));
        return close(is_signed ? c : '\0', !is_output);
      }
      if (is_name_start(c)) {
        std::size_t end = at_;
        while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
        add_to(Token::Type::name, end);
      } else if (is_digit(c)) {
        number();
      } else if (c == '"' || c == '\'') {
        quoted(c);
      } else {
        symbol(open);
      }
    }
  }

  char peek(std::size_t ahead) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  void add_to(Token::Type type, std::size_t end) {
    add(type, source_.substr(at_, end - at_));
    move_to(end);
  }

  void number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    digits();
    bool is_real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      is_real = true;
      ++end;
      digits();
    }
    if (end + 1 < source_.size() && (source_[end] | 32) == 'e') {
      const std::size_t power = end + 1 + (source_[end + 1] == '-' || source_[end + 1] == '+' ? 1 : 0);
      if (power < source_.size() && is_digit(source_[power])) {
        is_real = true;
        end = power;
        digits();
      }
    }
    add(is_real ? Token::Type::real : Token::Type::integer, source_.substr(at_, end - at_));
    std::erase(tokens_.back().text, '_');
    move_to(end);
  }

  void quoted(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) context_.fail("a text is not closed by " + std::string(1, quote));
    add(Token::Type::text, unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    move_to(end + 1);
  }

  // Python's escapes; an unknown one stands for itself.
  std::string unescaped(std::string_view text) const {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      constexpr std::string_view names = "ntrbfav\\'\"\n", meant = "\n\t\r\b\f\a\v\\'\"";
      const std::size_t known = names.find(c), digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (known != std::string_view::npos) {
        if (c != '\n') out += meant[known];
      } else if (digits > 0) {
        if (text.size() - i - 1 < digits) context_.fail("a \\" + std::string(1, c) + " escape is cut short");
        append_utf8(out, number_of(text.substr(i + 1, digits), 16));
        i += digits;
      } else if (c >= '0' && c <= '7') {
        std::size_t length = 1;
        while (length < 3 && i + length < text.size() && text[i + length] >= '0' && text[i + length] <= '7') ++length;
        append_utf8(out, number_of(text.substr(i, length), 8));
        i += length - 1;
      } else {
        (out += '\\') += c;
      }
    }
    return out;
  }

  std::int32_t number_of(std::string_view digits, int base) const {
    std::int64_t value = 0;
    for (const char c : digits) {
      if (!std::isxdigit(static_cast<unsigned char>(c)))
        context_.fail("\\x, \\u or \\U is followed by '" + std::string(digits) + "', expected hexadecimal digits");
      value = value * base + (is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value > 0x10ffff ? 0xfffd : static_cast<std::int32_t>(value);
  }

  void symbol(std::string& open) {
    constexpr std::array<std::string_view, 6> doubles = {"==", "!=", "<=", ">=", "//", "**"};
    constexpr std::string_view singles = "+-*/%~<>=.,:|()[]{}";
    const std::string_view two = std::string_view(source_).substr(at_, 2);
    if (std::find(doubles.begin(), doubles.end(), two) != doubles.end()) return add_to(Token::Type::symbol, at_ + 2);
    const char c = source_[at_];
    if (singles.find(c) == std::string_view::npos) context_.fail("unexpected character '" + std::string(1, c) + "'");
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) context_.fail("unexpected '" + std::string(1, c) + "'");
      open.pop_back();
    }
    add_to(Token::Type::symbol, at_ + 1);
  }

  std::string source_;
  std::size_t at_ = 0;
  bool line_starts_ = true;  // the text here begins a line, though no "\n" is left before it
  Context context_;          // for the line number and messages
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(std::string_view source) { return Lexer(source).run(); }

}  // namespace frugal::chat_template
