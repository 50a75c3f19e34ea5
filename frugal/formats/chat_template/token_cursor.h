// A position in a template's tokens, and what is said when the next one is not what is expected.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "frugal/formats/chat_template/lexer.h"
#include "frugal/formats/chat_template/syntax.h"

namespace frugal::chat_template {

inline constexpr int kMaxNesting = 100;  // of statements, brackets and operator chains

class TokenCursor {
 public:
  explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  using Type = Token::Type;

  const Token& token(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool is_symbol(std::string_view text) const { return token().type == Type::symbol && token().text == text; }
  bool is_name(std::string_view text) const { return token().type == Type::name && token().text == text; }
  bool skip_symbol(std::string_view text) { return is_symbol(text) && ++at_; }
  bool skip_name(std::string_view text) { return is_name(text) && ++at_; }
  void expect_symbol(std::string_view text) {
    if (!skip_symbol(text)) fail("expected '" + std::string(text) + "' but found " + shown());
  }
  std::string expect_name() {
    if (token().type != Type::name) fail("expected a name but found " + shown());
    return tokens_[at_++].text;
  }
  void expect(Type type, const char* what) {
    if (token().type != type) fail(std::string("expected ") + what + " but found " + shown());
    ++at_;
  }
  std::string shown() const {
    switch (token().type) {
      case Type::end:
        return "the end";
      case Type::output_end:
        return "'}}'";
      case Type::block_end:
        return "'%}'";
      default:
        return "'" + token().text.substr(0, 40) + "'";
    }
  }
  [[noreturn]] void fail(const std::string& what) const { context().fail(what); }
  [[noreturn]] void unsupported(const std::string& what) const { context().unsupported(what); }
  Context context() const {
    Context context;
    context.line = token().line;
    return context;
  }

  struct Nesting {
    explicit Nesting(TokenCursor& cursor) : cursor_(cursor) {
      if (++cursor_.nesting_ > kMaxNesting) cursor_.fail("nested more than " + std::to_string(kMaxNesting) + " deep");
    }
    ~Nesting() { --cursor_.nesting_; }
    TokenCursor& cursor_;
  };

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace frugal::chat_template
