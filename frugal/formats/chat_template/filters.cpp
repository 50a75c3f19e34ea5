// Filters and tests by name.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "frugal/formats/chat_template/interpreter.h"
#include "frugal/formats/chat_template/text_functions.h"

namespace frugal::chat_template {
namespace {

using Filter = Value (*)(const Value& value, const Arguments& arguments, Context& context);
using Test = bool (*)(const Value& value, const Value& argument, Context& context);

// "role" or "function.name" or "0", as the filters' attribute arguments.
Value path_of(Value value, const Value& path, Context& context) {
  if (!path.text()) return item_of(value, path, context);
  for (const std::string& name : split(*path.text(), ".", -1)) {
    std::int64_t index = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index = read.ec == std::errc() && read.ptr == name.data() + name.size();
    value = is_index ? item_of(value, index, context) : attribute_of(value, name, context);
  }
  return value;
}

Value length(const Value& value, const Arguments&, Context& context) {
  if (const std::string* text = value.text()) return static_cast<std::int64_t>(code_points(*text));
  if (!value.list() && !value.dict() && !value.is_undefined())
    context.fail("length of a value of type " + std::string(value.type_name()));
  return static_cast<std::int64_t>(value.list() ? value.list()->size() : value.dict() ? value.dict()->size() : 0);
}

template <Case wanted>
Value in_case(const Value& value, const Arguments&, Context& context) {
  return Value::text(with_case(to_text(value, context), wanted), context);
}

Value trim(const Value& value, const Arguments& arguments, Context& context) {
  const Value chars = arguments.get(0, "chars");
  const std::string text = to_text(value, context);
  return Value::text(
      chars.text() ? stripped(text, *chars.text(), true, true) : stripped(text, std::nullopt, true, true), context);
}

Value join(const Value& value, const Arguments& arguments, Context& context) {
  const Value separator = arguments.get(0, "d"), attribute = arguments.get(1, "attribute");
  const std::string between = separator.is_undefined() ? "" : to_text(separator, context);
  std::string out;
  bool is_first = true;
  for (const Value& item : iterate(value, context)) {
    if (!is_first) out += between;
    is_first = false;
    out += to_text(attribute.is_undefined() ? item : path_of(item, attribute, context), context);
    context.step();
    if (out.size() > kMaxText) break;
  }
  return Value::text(std::move(out), context);
}

Value to_json(const Value& value, const Arguments& arguments, Context& context) {
  if (arguments.get(1, "ensure_ascii").truthy()) context.unsupported("tojson with ensure_ascii");
  const Value indent = arguments.get(0, "indent");
  const bool is_given = !indent.is_undefined() && !indent.is_none();
  const std::int64_t spaces = is_given ? integer_of(indent, "tojson's indent", context) : -1;
  return Value::text(to_json_text(value, static_cast<int>(std::clamp<std::int64_t>(spaces, -1, 64)), context), context);
}

Value otherwise(const Value& value, const Arguments& arguments, Context&) {
  const bool is_missing = value.is_undefined() || (arguments.get(1, "boolean").truthy() && !value.truthy());
  if (!is_missing) return value;
  const Value given = arguments.get(0, "default_value");
  return given.is_undefined() && arguments.values.empty() ? Value(std::string()) : given;
}

Value replace(const Value& value, const Arguments& arguments, Context& context) {
  const Value count = arguments.get(2, "count");
  const std::int64_t most =
      count.is_undefined() || count.is_none() ? -1 : integer_of(count, "replace's count", context);
  return Value::text(replaced(to_text(value, context), to_text(arguments.get(0, "old"), context),
                              to_text(arguments.get(1, "new"), context), most, kMaxText),
                     context);
}

// select, reject, selectattr, rejectattr.
template <bool by_attribute, bool keeps>
Value select(const Value& value, const Arguments& arguments, Context& context) {
  const std::size_t first = by_attribute ? 1 : 0;
  if (arguments.values.size() < first) context.fail("selectattr and rejectattr need an attribute");
  Arguments rest;
  if (arguments.values.size() > first)
    rest.values.assign(arguments.values.begin() + static_cast<std::ptrdiff_t>(first) + 1, arguments.values.end());
  List out;
  for (const Value& item : iterate(value, context)) {
    context.step();
    const Value looked_at = by_attribute ? path_of(item, arguments.values[0], context) : item;
    const bool holds =
        arguments.values.size() > first
            ? apply_test(text_of(arguments.values[first], "a test's name", context), looked_at, rest, context)
            : looked_at.truthy();
    if (holds == keeps) out.push_back(item);
  }
  return Value::list(std::move(out), context);
}

Value map(const Value& value, const Arguments& arguments, Context& context) {
  const Value attribute = arguments.get(SIZE_MAX, "attribute"), given = arguments.get(SIZE_MAX, "default");
  Arguments rest;
  if (!arguments.values.empty()) rest.values.assign(arguments.values.begin() + 1, arguments.values.end());
  List out;
  for (const Value& item : iterate(value, context)) {
    context.step();
    if (!attribute.is_undefined()) {
      Value part = path_of(item, attribute, context);
      out.push_back(part.is_undefined() && !given.is_undefined() ? given : std::move(part));
    } else {
      if (arguments.values.empty()) context.fail("map needs a filter's name or attribute=");
      out.push_back(apply_filter(text_of(arguments.values[0], "a filter's name", context), item, rest, context));
    }
  }
  return Value::list(std::move(out), context);
}

Value as_list(const Value& value, const Arguments&, Context& context) {
  return Value::list(iterate(value, context), context);
}
Value as_text(const Value& value, const Arguments&, Context& context) {
  return Value::text(to_text(value, context), context);
}
Value unchanged(const Value& value, const Arguments&, Context&) { return value; }

Value first(const Value& value, const Arguments&, Context& context) {
  const List items = iterate(value, context);
  return items.empty() ? Value(Undefined{"the first element"}) : items.front();
}

Value last(const Value& value, const Arguments&, Context& context) {
  const List items = iterate(value, context);
  return items.empty() ? Value(Undefined{"the last element"}) : items.back();
}

Value reverse(const Value& value, const Arguments&, Context& context) {
  List items = iterate(value, context);
  std::reverse(items.begin(), items.end());
  return value.text() ? join(Value::list(std::move(items), context), {}, context)
                      : Value::list(std::move(items), context);
}

Value items(const Value& value, const Arguments& arguments, Context& context) {
  if (value.is_undefined()) return Value::list({}, context);
  return call_method("items", value, arguments, context);
}

Value absolute(const Value& value, const Arguments&, Context& context) {
  if (const auto* whole = value.get<std::int64_t>())
    return *whole < 0 ? binary("-", std::int64_t{0}, value, context) : value;
  if (!value.is_number()) context.fail("abs of a value of type " + std::string(value.type_name()));
  return std::fabs(value.number());
}

// A number in text; none: it is not one.
std::optional<double> parsed(const Value& value) {
  if (value.is_number()) return value.number();
  if (!value.text()) return std::nullopt;
  const std::string text = stripped(*value.text(), std::nullopt, true, true);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Value as_integer(const Value& value, const Arguments& arguments, Context&) {
  if (value.get<std::int64_t>()) return value;
  const auto number = parsed(value);
  if (number && std::fabs(*number) < 0x1p63) return static_cast<std::int64_t>(*number);
  const Value given = arguments.get(0, "default");
  return given.is_undefined() ? Value(std::int64_t{0}) : given;
}

Value as_real(const Value& value, const Arguments& arguments, Context&) {
  const auto number = parsed(value);
  if (number) return *number;
  const Value given = arguments.get(0, "default");
  return given.is_undefined() ? Value(0.0) : given;
}

struct FilterEntry {
  Filter filter;
  std::size_t most;  // arguments
  std::vector<std::string_view> names;
};

const std::map<std::string_view, FilterEntry>& filters() {
  static const std::map<std::string_view, FilterEntry> all = {
      {"abs", {absolute, 0, {}}},
      {"capitalize", {in_case<Case::capitalize>, 0, {}}},
      {"count", {length, 0, {}}},
      {"d", {otherwise, 2, {"default_value", "boolean"}}},
      {"default", {otherwise, 2, {"default_value", "boolean"}}},
      {"first", {first, 0, {}}},
      {"float", {as_real, 1, {"default"}}},
      {"int", {as_integer, 1, {"default"}}},
      {"items", {items, 0, {}}},
      {"join", {join, 2, {"d", "attribute"}}},
      {"last", {last, 0, {}}},
      {"length", {length, 0, {}}},
      {"list", {as_list, 0, {}}},
      {"lower", {in_case<Case::lower>, 0, {}}},
      {"map", {map, 8, {"attribute", "default"}}},
      {"reject", {select<false, false>, 8, {}}},
      {"rejectattr", {select<true, false>, 8, {}}},
      {"replace", {replace, 3, {"old", "new", "count"}}},
      {"reverse", {reverse, 0, {}}},
      {"safe", {unchanged, 0, {}}},
      {"select", {select<false, true>, 8, {}}},
      {"selectattr", {select<true, true>, 8, {}}},
      {"string", {as_text, 0, {}}},
      {"title", {in_case<Case::title_words>, 0, {}}},
      {"tojson", {to_json, 0, {"indent", "ensure_ascii"}}},
      {"trim", {trim, 1, {"chars"}}},
      {"upper", {in_case<Case::upper>, 0, {}}},
  };
  return all;
}

std::int64_t whole(const Value& value, Context& context) { return integer_of(value, "the number tested", context); }

bool is_divisible(const Value& v, const Value& by, Context& c) {
  return whole(binary("%", whole(v, c), whole(by, c), c), c) == 0;
}

struct TestEntry {
  Test test;
  std::size_t arguments;
};

const std::map<std::string_view, TestEntry>& tests() {
  constexpr auto equals = [](const Value& v, const Value& a, Context& c) { return equal(v, a, c); };
  constexpr auto differs = [](const Value& v, const Value& a, Context& c) { return !equal(v, a, c); };
  constexpr auto below = [](const Value& v, const Value& a, Context& c) { return less(v, a, c); };
  constexpr auto above = [](const Value& v, const Value& a, Context& c) { return less(a, v, c); };
  constexpr auto at_most = [](const Value& v, const Value& a, Context& c) { return !less(a, v, c); };
  constexpr auto at_least = [](const Value& v, const Value& a, Context& c) { return !less(v, a, c); };
  static const std::map<std::string_view, TestEntry> all = {
      {"defined", {[](const Value& v, const Value&, Context&) { return !v.is_undefined(); }, 0}},
      {"undefined", {[](const Value& v, const Value&, Context&) { return v.is_undefined(); }, 0}},
      {"none", {[](const Value& v, const Value&, Context&) { return v.is_none(); }, 0}},
      {"string", {[](const Value& v, const Value&, Context&) { return v.text() != nullptr; }, 0}},
      {"mapping", {[](const Value& v, const Value&, Context&) { return v.dict() != nullptr; }, 0}},
      {"iterable",
       {[](const Value& v, const Value&, Context&) { return v.text() || v.list() || v.dict() || v.is_undefined(); },
        0}},
      {"sequence",
       {[](const Value& v, const Value&, Context&) { return v.text() || v.list() || v.dict() || v.is_undefined(); },
        0}},
      {"number", {[](const Value& v, const Value&, Context&) { return v.is_number(); }, 0}},
      {"integer", {[](const Value& v, const Value&, Context&) { return v.get<std::int64_t>() != nullptr; }, 0}},
      {"float", {[](const Value& v, const Value&, Context&) { return v.get<double>() != nullptr; }, 0}},
      {"boolean", {[](const Value& v, const Value&, Context&) { return v.get<bool>() != nullptr; }, 0}},
      {"true", {[](const Value& v, const Value&, Context&) { return v.get<bool>() && *v.get<bool>(); }, 0}},
      {"false", {[](const Value& v, const Value&, Context&) { return v.get<bool>() && !*v.get<bool>(); }, 0}},
      {"odd", {[](const Value& v, const Value&, Context& c) { return whole(v, c) % 2 != 0; }, 0}},
      {"even", {[](const Value& v, const Value&, Context& c) { return whole(v, c) % 2 == 0; }, 0}},
      {"divisibleby", {is_divisible, 1}},
      {"in", {[](const Value& v, const Value& a, Context& c) { return contains(a, v, c); }, 1}},
      {"eq", {equals, 1}},
      {"equalto", {equals, 1}},
      {"==", {equals, 1}},
      {"ne", {differs, 1}},
      {"!=", {differs, 1}},
      {"lt", {below, 1}},
      {"<", {below, 1}},
      {"lessthan", {below, 1}},
      {"le", {at_most, 1}},
      {"<=", {at_most, 1}},
      {"gt", {above, 1}},
      {">", {above, 1}},
      {"greaterthan", {above, 1}},
      {"ge", {at_least, 1}},
      {">=", {at_least, 1}},
  };
  return all;
}

}  // namespace

Value Arguments::get(std::size_t position, std::string_view name) const {
  if (position < values.size()) return values[position];
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
  return found == named.end() ? Value(Undefined{std::string(name)}) : found->second;
}

void Arguments::check(std::string_view callee, std::size_t most, const std::vector<std::string_view>& names,
                      Context& context) const {
  if (values.size() > most) {
    context.fail("'" + std::string(callee) + "' is given " + std::to_string(values.size()) + " arguments, at most " +
                 std::to_string(most) + " are supported");
  }
  for (const auto& [name, value] : named) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      context.unsupported("the argument '" + name + "' of '" + std::string(callee) + "'");
  }
}

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments, Context& context) {
  const auto found = filters().find(name);
  if (found == filters().end()) context.unsupported("the filter '" + name + "'");
  // tojson has no positions: indent and ensure_ascii change places between implementations.
  arguments.check(name, found->second.most, found->second.names, context);
  return found->second.filter(value, arguments, context);
}

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments, Context& context) {
  const auto found = tests().find(name);
  if (found == tests().end()) context.unsupported("the test '" + name + "'");
  arguments.check(name, found->second.arguments, {}, context);
  if (arguments.values.size() < found->second.arguments)
    context.fail("the test '" + name + "' needs a value to compare with");
  return found->second.test(value, arguments.get(0, ""), context);
}

}  // namespace frugal::chat_template
