// Methods of texts and dicts, by Python's names.
#include <algorithm>

#include "frugal/formats/chat_template/interpreter.h"
#include "frugal/formats/chat_template/text_functions.h"

namespace frugal::chat_template {
namespace {

Value list_of(std::vector<std::string> texts, Context& context) {
  List items;
  items.reserve(texts.size());
  for (std::string& text : texts) items.push_back(Value::text(std::move(text), context));
  return Value::list(std::move(items), context);
}

std::optional<std::string_view> text_or_none(const Value& value, const std::string& what, Context& context) {
  if (value.is_undefined() || value.is_none()) return std::nullopt;
  return text_of(value, what, context);
}

// startswith and endswith take one text or several.
bool matches_end(const std::string& text, const Value& ends, bool at_start, Context& context) {
  const auto matches = [&](const Value& end) {
    const std::string& part =
        text_of(end, at_start ? "the argument of startswith" : "the argument of endswith", context);
    return at_start ? text.starts_with(part) : text.ends_with(part);
  };
  return ends.list() ? std::any_of(ends.list()->begin(), ends.list()->end(), matches) : matches(ends);
}

Value text_method(const std::string& name, const std::string& text, const Arguments& arguments, Context& context) {
  const auto most = [&](std::size_t count, const std::vector<std::string_view>& names = {}) {
    arguments.check(name, count, names, context);
  };
  const auto made = [&](std::string out) { return Value::text(std::move(out), context); };
  context.step(text.size() / 64);
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    most(1);
    return made(stripped(text, text_or_none(arguments.get(0, ""), "the argument of " + name, context), name != "rstrip",
                         name != "lstrip"));
  }
  if (name == "split") {
    most(2, {"sep", "maxsplit"});
    const Value separator = arguments.get(0, "sep"), count = arguments.get(1, "maxsplit");
    const auto by = text_or_none(separator, "the separator of split", context);
    if (by && by->empty()) context.fail("the separator of split is empty");
    return list_of(split(text, by, count.is_undefined() ? -1 : integer_of(count, "the limit of split", context)),
                   context);
  }
  if (name == "startswith" || name == "endswith") {
    most(1);
    return matches_end(text, arguments.get(0, ""), name == "startswith", context);
  }
  if (name == "replace") {
    most(3, {"count"});
    const Value count = arguments.get(2, "count");
    return made(replaced(text, text_of(arguments.get(0, ""), "the first argument of replace", context),
                         text_of(arguments.get(1, ""), "the second argument of replace", context),
                         count.is_undefined() ? -1 : integer_of(count, "the count of replace", context), kMaxText));
  }
  if (name == "join") {
    most(1);
    for (const Value& item : iterate(arguments.get(0, ""), context)) text_of(item, "an element given to join", context);
    return apply_filter("join", arguments.get(0, ""), {{Value(text)}, {}}, context);
  }
  if (name == "removeprefix" || name == "removesuffix") {
    most(1);
    const std::string& part = text_of(arguments.get(0, ""), "the argument of " + name, context);
    if (name == "removeprefix" && text.starts_with(part)) return made(text.substr(part.size()));
    if (name == "removesuffix" && text.ends_with(part)) return made(text.substr(0, text.size() - part.size()));
    return made(text);
  }
  if (name == "find" || name == "count") {
    most(1);
    const std::string& part = text_of(arguments.get(0, ""), "the argument of " + name, context);
    if (name == "find") {
      const std::size_t at = text.find(part);
      return at == std::string::npos ? std::int64_t{-1}
                                     : static_cast<std::int64_t>(code_points(std::string_view(text).substr(0, at)));
    }
    return static_cast<std::int64_t>(part.empty() ? code_points(text) + 1 : split(text, part, -1).size() - 1);
  }
  most(0);
  if (name == "upper") return made(with_case(text, Case::upper));
  if (name == "lower") return made(with_case(text, Case::lower));
  if (name == "title") return made(with_case(text, Case::title));
  if (name == "capitalize") return made(with_case(text, Case::capitalize));
  if (name == "splitlines") return list_of(split_lines(text), context);
  context.unsupported("the method '" + name + "' of a text");
}

Value dict_method(const std::string& name, const Value& value, const Arguments& arguments, Context& context) {
  if (name == "get") {
    arguments.check(name, 2, {}, context);
    const Value key = arguments.get(0, "");
    const Value* found = key.text() ? value.find(*key.text()) : nullptr;
    if (found) return *found;
    return arguments.values.size() > 1 ? arguments.values[1] : Value(None{});
  }
  arguments.check(name, 0, {}, context);
  List out;
  for (const auto& [key, item] : *value.dict()) {
    if (name == "items") {
      out.push_back(Value::list({Value(key), item}, context));
    } else if (name == "keys") {
      out.emplace_back(key);
    } else if (name == "values") {
      out.push_back(item);
    } else {
      break;
    }
  }
  if (name != "items" && name != "keys" && name != "values") context.unsupported("the method '" + name + "' of a dict");
  return Value::list(std::move(out), context);
}

}  // namespace

Value call_method(const std::string& name, const Value& value, const Arguments& arguments, Context& context) {
  if (const std::string* text = value.text()) return text_method(name, *text, arguments, context);
  if (value.dict()) return dict_method(name, value, arguments, context);
  if (const auto* undefined = value.get<Undefined>())
    context.fail("'" + undefined->name + "' is undefined, so it has no '" + name + "'");
  context.unsupported("the method '" + name + "' of a " + std::string(value.type_name()));
}

}  // namespace frugal::chat_template
