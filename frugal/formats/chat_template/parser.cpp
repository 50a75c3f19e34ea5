// Recursive descent over the tokens, with Jinja's precedences.
#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "frugal/formats/chat_template/lexer.h"
#include "frugal/formats/chat_template/syntax.h"

namespace frugal::chat_template {
namespace {

constexpr int kMaxNesting = 100;  // of statements, brackets and operator chains
using Type = Token::Type;
using Kind = Expression::Type;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Block template_() {
    Block block = statements({});
    if (token().type != Type::end) fail("'" + peek_tag() + "' has nothing to end");
    return block;
  }

 private:
  // ---- tokens ----
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
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxNesting) parser_.fail("nested more than " + std::to_string(kMaxNesting) + " deep");
    }
    ~Nesting() { --parser_.nesting_; }
    Parser& parser_;
  };

  // ---- statements ----
  std::string peek_tag() const { return token().type == Type::block_begin ? token(1).text : std::string(); }

  // Up to a tag with one of the names (not taken) or the end.
  Block statements(std::initializer_list<std::string_view> until) {
    const Nesting nesting(*this);
    Block block;
    for (;;) {
      const int line = token().line;
      if (token().type == Type::data) {
        block.push_back({Statement::Type::text, line, tokens_[at_++].text});
      } else if (token().type == Type::output_begin) {
        ++at_;
        Statement output{Statement::Type::output, line};
        output.value = expression_or_tuple();
        expect(Type::output_end, "'}}'");
        block.push_back(std::move(output));
      } else if (token().type == Type::block_begin) {
        const std::string tag = peek_tag();
        if (std::find(until.begin(), until.end(), tag) != until.end()) return block;
        if (until.size() == 0 && tag.starts_with("end")) return block;
        ++at_;
        expect_name();
        block.push_back(statement(tag, line));
      } else {
        return block;
      }
    }
  }

  Statement statement(const std::string& tag, int line) {
    Statement made{Statement::Type::scope, line};
    if (tag == "if") {
      made.type = Statement::Type::condition;
      for (bool has_more = true; has_more;) {
        ExpressionPtr condition = expression_or_tuple();
        close_tag();
        made.branches.push_back({std::move(condition), statements({"elif", "else", "endif"})});
        has_more = open_tag({"elif", "else", "endif"}, tag) == "elif";
      }
      if (tokens_[at_ - 1].text == "else") {
        close_tag();
        made.branches.push_back({nullptr, statements({"endif"})});
        open_tag({"endif"}, tag);
      }
      close_tag();
    } else if (tag == "for") {
      made.type = Statement::Type::loop;
      made.names = targets();
      if (!skip_name("in")) fail("expected 'in' but found " + shown());
      made.value = without_condition();
      if (skip_name("if")) made.filter = expression();
      if (is_name("recursive")) unsupported("a recursive loop");
      close_tag();
      ++loops_;
      made.branches.push_back({nullptr, statements({"else", "endfor"})});
      --loops_;
      if (open_tag({"else", "endfor"}, tag) == "else") {
        close_tag();
        made.branches.push_back({nullptr, statements({"endfor"})});
        open_tag({"endfor"}, tag);
      }
      close_tag();
    } else if (tag == "set") {
      set(made);
    } else if (tag == "macro") {
      made.type = Statement::Type::macro;
      made.names = {expect_name()};
      expect_symbol("(");
      while (!skip_symbol(")")) {
        std::string name = expect_name();
        ExpressionPtr otherwise = skip_symbol("=") ? expression() : nullptr;
        made.parameters.emplace_back(std::move(name), std::move(otherwise));
        if (!is_symbol(")")) expect_symbol(",");
      }
      const int loops = std::exchange(loops_, 0);
      body(made, "endmacro", tag);
      loops_ = loops;
    } else if (tag == "generation") {
      body(made, "endgeneration", tag);
    } else if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail("'" + tag + "' outside a loop");
      made.type = tag == "break" ? Statement::Type::leave : Statement::Type::skip;
      close_tag();
    } else {
      unsupported("the tag '" + tag + "'");
    }
    return made;
  }

  void body(Statement& made, std::string_view end, const std::string& tag) {
    close_tag();
    made.branches.push_back({nullptr, statements({end})});
    open_tag({end}, tag);
    close_tag();
  }

  void set(Statement& made) {
    made.type = Statement::Type::assign;
    made.names = targets();
    if (made.names.size() == 1 && skip_symbol(".")) made.text = expect_name();
    if (skip_symbol("=")) {
      made.value = expression_or_tuple();
      return close_tag();
    }
    if (made.names.size() != 1 || !made.text.empty()) unsupported("a set block for more than a name");
    made.type = Statement::Type::capture;
    if (is_symbol("|")) made.value = filters(nullptr);
    const int loops = std::exchange(loops_, 0);
    body(made, "endset", "set");
    loops_ = loops;
  }

  std::vector<std::string> targets() {
    const bool bracket = skip_symbol("(");
    std::vector<std::string> names = {expect_name()};
    while (skip_symbol(",")) names.push_back(expect_name());
    if (bracket) expect_symbol(")");
    return names;
  }

  void close_tag() { expect(Type::block_end, "'%}'"); }
  std::string open_tag(std::initializer_list<std::string_view> names, const std::string& tag) {
    if (token().type != Type::block_begin || std::find(names.begin(), names.end(), token(1).text) == names.end()) {
      fail("'" + tag + "' is not closed by '" + std::string(*(names.end() - 1)) + "'");
    }
    ++at_;
    return expect_name();
  }

  // ---- expressions ----
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

  using Level = ExpressionPtr (Parser::*)();
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
  ExpressionPtr sum() { return chain({"+", "-"}, &Parser::concatenation); }
  ExpressionPtr concatenation() { return chain({"~"}, &Parser::product); }
  ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &Parser::filtered); }
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

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0, loops_ = 0;
};

}  // namespace

Block parse(std::string_view source) { return Parser(lex(source)).template_(); }

}  // namespace frugal::chat_template
