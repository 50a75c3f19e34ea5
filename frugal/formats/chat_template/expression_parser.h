// Expressions by recursive descent, with Jinja's precedences.
#pragma once
#include <charconv>
#include <initializer_list>
#include <memory>

#include "frugal/formats/chat_template/token_cursor.h"

namespace frugal::chat_template {

class ExpressionParser : public TokenCursor {
 protected:
  using TokenCursor::TokenCursor;
  using Kind = Expression::Type;

  ExpressionPtr make(Kind type, std::string text = "") const {
    auto made = std::make_unique<Expression>();
    made->type = type;
    made->line = token().line;
    made->text = std::move(text);
    return made;
  }
  void add(Expression& to, ExpressionPtr part) const {
    if (part) raise(to, *part);
    to.parts.push_back(std::move(part));
  }
  void raise(Expression& to, const Expression& part) const {
    to.height = std::max(to.height, part.height + 1);
    if (to.height > kMaxNesting) fail("an expression is nested more than " + std::to_string(kMaxNesting) + " deep");
  }
  template <class... Parts>
  ExpressionPtr join(Kind type, std::string text, Parts... parts) const {
    ExpressionPtr made = make(type, std::move(text));
    (add(*made, std::move(parts)), ...);
    return made;
  }

  ExpressionPtr expression_or_tuple() {
    ExpressionPtr first = expression();
    if (!is_symbol(",")) return first;
    ExpressionPtr tuple = join(Kind::list, "", std::move(first));
    while (skip_symbol(",") && token().type != Type::output_end && token().type != Type::block_end)
      add(*tuple, expression());
    return tuple;
  }

  ExpressionPtr expression() {
    const Nesting nesting(*this);
    ExpressionPtr value = without_condition();
    if (!skip_name("if")) return value;
    ExpressionPtr condition = without_condition();
    return join(Kind::conditional, "", std::move(condition), std::move(value),
                skip_name("else") ? expression() : nullptr);
  }

  ExpressionPtr without_condition() {
    ExpressionPtr left = conjunction();
    while (skip_name("or")) left = join(Kind::either, "", std::move(left), conjunction());
    return left;
  }

  ExpressionPtr conjunction() {
    ExpressionPtr left = negation();
    while (skip_name("and")) left = join(Kind::both, "", std::move(left), negation());
    return left;
  }

  ExpressionPtr negation() {
    const Nesting nesting(*this);
    return skip_name("not") ? join(Kind::invert, "", negation()) : comparison();
  }

  ExpressionPtr comparison() {
    ExpressionPtr left = sum();
    ExpressionPtr made;
    for (;;) {
      std::string op;
      if (token().type == Type::symbol && (token().text == "==" || token().text == "!=" || token().text == "<" ||
                                           token().text == "<=" || token().text == ">" || token().text == ">=")) {
        op = tokens_[at_++].text;
      } else if (skip_name("in")) {
        op = "in";
      } else if (is_name("not") && token(1).type == Type::name && token(1).text == "in") {
        at_ += 2;
        op = "not in";
      } else {
        return made ? std::move(made) : std::move(left);
      }
      if (!made) made = join(Kind::compare, "", std::move(left));
      made->operators.push_back(op);
      add(*made, sum());
    }
  }

  using Level = ExpressionPtr (ExpressionParser::*)();
  ExpressionPtr chain(std::initializer_list<std::string_view> operators, Level next) {
    ExpressionPtr left = (this->*next)();
    for (;;) {
      if (is_symbol("**")) unsupported("the operator '**'");
      if (token().type != Type::symbol ||
          std::find(operators.begin(), operators.end(), token().text) == operators.end())
        return left;
      std::string op = tokens_[at_++].text;
      left = join(Kind::binary, std::move(op), std::move(left), (this->*next)());
    }
  }
  ExpressionPtr sum() { return chain({"+", "-"}, &ExpressionParser::concatenation); }
  ExpressionPtr concatenation() { return chain({"~"}, &ExpressionParser::product); }
  ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &ExpressionParser::filtered); }
  ExpressionPtr filtered() { return filters(unary()); }

  ExpressionPtr unary() {
    const Nesting nesting(*this);
    if (skip_symbol("-")) return postfix(join(Kind::negate, "", unary()));
    if (skip_symbol("+")) return postfix(join(Kind::plus, "", unary()));
    return postfix(primary());
  }

  ExpressionPtr primary() {
    const Token& at = token();
    if (at.type == Type::text) {
      std::string text;
      while (token().type == Type::text) text += tokens_[at_++].text;
      return literal(Value(std::move(text)));
    }
    if (at.type == Type::integer || at.type == Type::real) return number();
    if (at.type == Type::name) {
      const std::string name = tokens_[at_++].text;
      if (name == "true" || name == "True") return literal(true);
      if (name == "false" || name == "False") return literal(false);
      if (name == "none" || name == "None") return literal(None{});
      return make(Kind::name, name);
    }
    if (skip_symbol("(")) {
      if (skip_symbol(")")) return make(Kind::list);
      ExpressionPtr first = expression();
      if (is_symbol(",")) {
        ExpressionPtr tuple = join(Kind::list, "", std::move(first));
        while (skip_symbol(",") && !is_symbol(")")) add(*tuple, expression());
        first = std::move(tuple);
      }
      expect_symbol(")");
      return first;
    }
    if (skip_symbol("[")) {
      ExpressionPtr list = make(Kind::list);
      while (!skip_symbol("]")) {
        add(*list, expression());
        if (!is_symbol("]")) expect_symbol(",");
      }
      return list;
    }
    if (skip_symbol("{")) {
      ExpressionPtr dict = make(Kind::dict);
      while (!skip_symbol("}")) {
        add(*dict, expression());
        expect_symbol(":");
        add(*dict, expression());
        if (!is_symbol("}")) expect_symbol(",");
      }
      return dict;
    }
    fail("expected a value but found " + shown());
  }

  ExpressionPtr literal(Value value) const {
    ExpressionPtr made = make(Kind::literal);
    made->value = std::move(value);
    return made;
  }

  ExpressionPtr number() {
    const Token& at = tokens_[at_++];
    const char *begin = at.text.data(), *end = begin + at.text.size();
    if (at.type == Type::real) {
      double value = 0;
      const auto read = std::from_chars(begin, end, value);
      if (read.ec != std::errc() || read.ptr != end) fail("the number " + at.text.substr(0, 40) + " is out of range");
      return literal(value);
    }
    std::int64_t value = 0;
    const auto read = std::from_chars(begin, end, value);
    if (read.ec != std::errc() || read.ptr != end) fail("the number " + at.text.substr(0, 40) + " is out of range");
    return literal(value);
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    for (;;) {
      if (skip_symbol(".")) {
        if (token().type == Type::integer) {  // a.0
          ExpressionPtr index = number();
          value = join(Kind::item, "", std::move(value), std::move(index));
        } else {
          std::string name = expect_name();
          value = join(Kind::attribute, std::move(name), std::move(value));
        }
      } else if (skip_symbol("[")) {
        value = subscript(std::move(value));
      } else if (skip_symbol("(")) {
        value = join(Kind::call, "", std::move(value));
        arguments(*value);
      } else {
        return value;
      }
    }
  }

  ExpressionPtr subscript(ExpressionPtr value) {
    ExpressionPtr parts[3];
    bool is_slice = false;
    for (std::size_t i = 0; i < 3; ++i) {
      if (!is_symbol(":") && !is_symbol("]")) parts[i] = expression();
      if (i == 2 || !is_symbol(":")) break;
      ++at_;
      is_slice = true;
    }
    expect_symbol("]");
    if (is_slice)
      return join(Kind::slice, "", std::move(value), std::move(parts[0]), std::move(parts[1]), std::move(parts[2]));
    if (!parts[0]) fail("an index is missing between '[' and ']'");
    return join(Kind::item, "", std::move(value), std::move(parts[0]));
  }

  // After the opening bracket.
  void arguments(Expression& to) {
    while (!skip_symbol(")")) {
      if (is_symbol("*") || is_symbol("**")) unsupported("an argument with '*'");
      if (token().type == Type::name && token(1).type == Type::symbol && token(1).text == "=") {
        std::string name = expect_name();
        ++at_;
        ExpressionPtr value = expression();
        raise(to, *value);
        to.named.emplace_back(std::move(name), std::move(value));
      } else {
        if (!to.named.empty()) fail("an argument without a name follows one with a name");
        add(to, expression());
      }
      if (!is_symbol(")")) expect_symbol(",");
    }
  }

  // Filters and tests bind tighter than any operator. value may be null: see Statement::capture.
  ExpressionPtr filters(ExpressionPtr value) {
    for (;;) {
      if (skip_symbol("|")) {
        std::string name = expect_name();
        value = join(Kind::filter, std::move(name), std::move(value));
        if (skip_symbol("(")) arguments(*value);
      } else if (is_symbol("(") && value && value->type == Kind::filter) {
        unsupported("a call of a filter's result");
      } else if (skip_name("is")) {
        value = test(std::move(value));
      } else {
        return value;
      }
    }
  }

  ExpressionPtr test(ExpressionPtr value) {
    const bool is_inverted = skip_name("not");
    std::string name = expect_name();
    ExpressionPtr made = join(Kind::test, std::move(name), std::move(value));
    const bool takes_value = token().type == Type::text || token().type == Type::integer ||
                             token().type == Type::real || is_symbol("[") || is_symbol("{") ||
                             (token().type == Type::name && !is_name("else") && !is_name("or") && !is_name("and") &&
                              !is_name("is") && !is_name("if") && !is_name("in") && !is_name("not"));
    if (skip_symbol("(")) {
      arguments(*made);
    } else if (takes_value) {
      add(*made, postfix(primary()));
    }
    return is_inverted ? join(Kind::invert, "", std::move(made)) : std::move(made);
  }
};

}  // namespace frugal::chat_template
