// Splits a chat template into text and the tokens of its tags, with Jinja's rules for white space
// (trim_blocks and lstrip_blocks on, keep_trailing_newline off).
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace frugal::chat_template {

struct Token {
  enum class Type { data, output_begin, output_end, block_begin, block_end, name, text, integer, real, symbol, end };
  Type type = Type::end;
  std::string text;  // data and text: the characters meant; others: as written
  int line = 1;
};

// The last token is of type end. Error(Exit::input) with the line: an open tag or comment, a character that starts no
// token.
std::vector<Token> lex(std::string_view source);

}  // namespace frugal::chat_template
