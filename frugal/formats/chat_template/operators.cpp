// Attributes, items, slices and arithmetic.
#include <algorithm>
#include <cmath>

#include "frugal/formats/chat_template/interpreter.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal::chat_template {
namespace {

std::string named(const Value& value) {
  const auto* undefined = value.get<Undefined>();
  return undefined ? "'" + undefined->name + "' is undefined" : "a value of type " + std::string(value.type_name());
}

Value whole(const std::string& op, std::int64_t a, std::int64_t b, Context& context) {
  std::int64_t out = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &out);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &out);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &out);
  } else if (b == 0) {
    context.fail("division by zero");
  } else if (b == -1) {  // INT64_MIN / -1 does not fit
    overflow = op == "//" && __builtin_sub_overflow(std::int64_t{0}, a, &out);
  } else {  // rounded down, and the remainder has the sign of b
    const std::int64_t rest = a % b;
    const bool is_below = rest != 0 && (rest < 0) != (b < 0);
    out = op == "%" ? rest + (is_below ? b : 0) : a / b - (is_below ? 1 : 0);
  }
  if (overflow) context.fail("a whole number is out of range");
  return out;
}

Value real(const std::string& op, double a, double b, Context& context) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (b == 0) context.fail("division by zero");
  if (op == "/") return a / b;
  if (op == "//") return std::floor(a / b);
  const double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value repeated(const Value& value, std::int64_t times, Context& context) {
  const auto count = static_cast<std::size_t>(std::clamp<std::int64_t>(times, 0, kMaxText + 1));
  if (const std::string* text = value.text()) {
    context.text(text->size() * count);
    std::string out;
    for (std::size_t i = 0; i < count && !text->empty(); ++i) out += *text;
    return Value(std::move(out));
  }
  List out;
  context.step(value.list()->size() * count);
  for (std::size_t i = 0; i < count && !value.list()->empty(); ++i)
    out.insert(out.end(), value.list()->begin(), value.list()->end());
  return Value::list(std::move(out), context);
}

std::int64_t whole_of(const Value& value) {
  return value.get<bool>() ? *value.get<bool>() : *value.get<std::int64_t>();
}
bool is_whole(const Value& value) { return value.get<bool>() || value.get<std::int64_t>(); }

// Elements a slice takes, as Python's slice.indices.
std::vector<std::size_t> indices(std::size_t size, const Value& from, const Value& to, const Value& by,
                                 Context& context) {
  const auto given = [](const Value& v) { return !v.is_undefined() && !v.is_none(); };
  const auto length = static_cast<std::int64_t>(size);
  const std::int64_t step = given(by) ? integer_of(by, "a slice's step", context) : 1;
  if (step == 0) context.fail("a slice's step is 0");
  const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
  const auto place = [&](const Value& v, std::int64_t otherwise) {
    if (!given(v)) return otherwise;
    const std::int64_t at = integer_of(v, "a slice's bound", context);
    return std::clamp(at < 0 ? std::max(at, -length - 1) + length : at, low, high);
  };
  const std::int64_t begin = place(from, step > 0 ? low : high), end = place(to, step > 0 ? high : low);
  std::vector<std::size_t> out;
  const std::int64_t stride = std::clamp(step, -length - 1, length + 1);
  for (std::int64_t i = begin; stride > 0 ? i < end : i > end; i += stride) out.push_back(static_cast<std::size_t>(i));
  return out;
}

}  // namespace

std::int64_t integer_of(const Value& value, const char* what, Context& context) {
  if (!is_whole(value)) context.fail(std::string(what) + " must be a whole number, not " + named(value));
  return whole_of(value);
}

const std::string& text_of(const Value& value, const std::string& what, Context& context) {
  if (!value.text()) context.fail(what + " must be a text, not " + named(value));
  return *value.text();
}

Value attribute_of(const Value& value, const std::string& name, Context& context) {
  if (value.is_undefined()) context.fail(named(value) + ", so it has no '" + name + "'");
  if (const auto* space = value.get<std::shared_ptr<Namespace>>()) {
    for (const auto& [key, item] : (*space)->entries) {
      context.step();
      if (key == name) return item;
    }
  } else if (const auto* loop = value.get<std::shared_ptr<const Loop>>()) {
    const List& items = *(*loop)->items;
    const std::size_t i = (*loop)->index;
    const auto whole = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
    if (name == "index") return whole(i + 1);
    if (name == "index0") return whole(i);
    if (name == "revindex") return whole(items.size() - i);
    if (name == "revindex0") return whole(items.size() - i - 1);
    if (name == "first") return i == 0;
    if (name == "last") return i + 1 == items.size();
    if (name == "length") return whole(items.size());
    if (name == "depth") context.unsupported("loop.depth");
    if (name == "previtem" && i > 0) return items[i - 1];
    if (name == "nextitem" && i + 1 < items.size()) return items[i + 1];
  } else if (value.dict()) {
    context.step(value.dict()->size() / 8);
    if (const Value* found = value.find(name)) return *found;
  }
  return Undefined{name};
}

Value item_of(const Value& value, const Value& index, Context& context) {
  if (index.text()) return attribute_of(value, *index.text(), context);
  if (value.is_undefined()) context.fail(named(value) + ", so it has no elements");
  if (!is_whole(index) || (!value.list() && !value.text())) return Undefined{to_text(index, context)};
  const List items = value.list() ? List() : iterate(value, context);
  const List& all = value.list() ? *value.list() : items;
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t at = whole_of(index) < 0 ? whole_of(index) + size : whole_of(index);
  if (at < 0 || at >= size) return Undefined{"element " + to_text(index, context)};
  return all[static_cast<std::size_t>(at)];
}

Value slice_of(const Value& value, const Value& from, const Value& to, const Value& step, Context& context) {
  if (!value.list() && !value.text()) context.fail("a slice needs a list or a text, not " + named(value));
  const List all = iterate(value, context);
  List out;
  std::string text;
  for (const std::size_t i : indices(all.size(), from, to, step, context)) {
    if (value.list()) {
      out.push_back(all[i]);
    } else {
      text += *all[i].text();
    }
  }
  return value.list() ? Value::list(std::move(out), context) : Value::text(std::move(text), context);
}

Value binary(const std::string& op, const Value& a, const Value& b, Context& context) {
  if (op == "~") return Value::text(to_text(a, context) + to_text(b, context), context);
  if (a.is_number() && b.is_number()) {
    return is_whole(a) && is_whole(b) && op != "/" ? whole(op, whole_of(a), whole_of(b), context)
                                                   : real(op, a.number(), b.number(), context);
  }
  if (op == "+" && a.text() && b.text()) {
    context.text(a.text()->size() + b.text()->size());
    return Value(*a.text() + *b.text());
  }
  if (op == "+" && a.list() && b.list()) {
    List all = *a.list();
    all.insert(all.end(), b.list()->begin(), b.list()->end());
    return Value::list(std::move(all), context);
  }
  if (op == "*" && (a.text() || a.list()) && is_whole(b)) return repeated(a, whole_of(b), context);
  if (op == "*" && (b.text() || b.list()) && is_whole(a)) return repeated(b, whole_of(a), context);
  if (op == "%" && a.text()) context.unsupported("'%' formatting of a text");
  context.fail("'" + op + "' of " + named(a) + " and " + named(b));
}

}  // namespace frugal::chat_template
