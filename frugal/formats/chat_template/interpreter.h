// Evaluates a syntax tree. Filters, tests and methods are functions of values, so that they can be used by name.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "frugal/formats/chat_template/syntax.h"
#include "frugal/formats/chat_template/value.h"

namespace frugal::chat_template {

class Scope;

struct Macro {
  const Statement* statement;
  Scope* scope;  // where it was defined; outlives the macro, which cannot be stored outside scopes
};

// Arguments of a call.
struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at `position` or of that name; undefined when not given.
  Value get(std::size_t position, std::string_view name) const;
  // Error: more arguments than `most`, or a name that is none of `names`.
  void check(std::string_view callee, std::size_t most, const std::vector<std::string_view>& names,
             Context& context) const;
};

// Error when there is no filter, test or method of that name.
Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments, Context& context);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments, Context& context);
Value call_method(const std::string& name, const Value& value, const Arguments& arguments, Context& context);
bool is_function(std::string_view name);  // of the language, as range
Value call_function(const std::string& name, const Arguments& arguments, Context& context);

// value.name, value[index]; undefined when there is none.
Value attribute_of(const Value& value, const std::string& name, Context& context);
Value item_of(const Value& value, const Value& index, Context& context);
Value slice_of(const Value& value, const Value& from, const Value& to, const Value& step, Context& context);
Value binary(const std::string& op, const Value& a, const Value& b, Context& context);
std::int64_t integer_of(const Value& value, const char* what, Context& context);            // Error: not a whole number
const std::string& text_of(const Value& value, const std::string& what, Context& context);  // Error: not a text

std::string render(const Block& block, const Json& variables, Context& context);

}  // namespace frugal::chat_template
