// The syntax tree of a chat template.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frugal/formats/chat_template/value.h"

namespace frugal::chat_template {

struct Expression {
  enum class Type {
    literal,    // value
    name,       // text
    list,       // parts
    dict,       // parts: key, value, key, value, ...
    attribute,  // parts[0] . text
    item,       // parts[0] [ parts[1] ]
    slice,      // parts[0] [ parts[1] : parts[2] : parts[3] ], each may be null
    call,       // parts[0] ( parts[1..], named )
    filter,     // parts[0] | text ( parts[1..], named )
    test,       // parts[0] is text ( parts[1..] )
    negate,
    plus,
    invert,   // parts[0]; invert is `not`
    binary,   // parts[0] text parts[1]
    compare,  // parts[0] operators[0] parts[1] operators[1] parts[2] ...
    both,
    either,       // parts[0], parts[1]
    conditional,  // parts[1] if parts[0] else parts[2] (may be null)
  };
  Type type;
  int line;
  std::string text;
  Value value;
  std::vector<std::unique_ptr<Expression>> parts;
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named;
  std::vector<std::string> operators;
  int height = 1;  // bounded, so that walking the tree needs little stack
};
using ExpressionPtr = std::unique_ptr<Expression>;

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  enum class Type {
    text,       // text
    output,     // value
    condition,  // branches: the first whose condition holds (null: always)
    loop,       // for names in value [if filter]: branches[0], else branches[1]
    assign,     // set names = value, or names[0].text = value
    capture,    // set names[0] = branches[0], through the filters in value (its innermost operand is a null part)
    macro,      // names[0], parameters, branches[0]
    scope,      // branches[0]
    leave,
    skip,  // break, continue
  };
  struct Branch {
    ExpressionPtr condition;
    Block body;
  };
  Type type;
  int line;
  std::string text;
  std::vector<std::string> names;
  ExpressionPtr value, filter;
  std::vector<Branch> branches;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with default or null
};

// Error(Exit::input) with the line and the construct's name.
Block parse(std::string_view source);

}  // namespace frugal::chat_template
