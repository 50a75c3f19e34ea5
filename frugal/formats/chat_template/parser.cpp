// Statements of a template over its expressions, by recursive descent.
#include "frugal/formats/chat_template/expression_parser.h"

namespace frugal::chat_template {
namespace {

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Block template_() {
    Block block = statements({});
    if (token().type != Type::end) fail("'" + peek_tag() + "' has nothing to end");
    return block;
  }

 private:
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

  int loops_ = 0;
};

}  // namespace

Block parse(std::string_view source) { return Parser(lex(source)).template_(); }

}  // namespace frugal::chat_template
