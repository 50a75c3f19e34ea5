#include "frugal/formats/chat_template/value.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/formats/tokenizer/utf8.h"

namespace frugal::chat_template {
namespace {

constexpr std::int64_t kMaxSteps = 5'000'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 28;
constexpr int kMaxDepth = 64;

int depth_over(int depth, const Value& element, Context& context) {
  if (!element.is_data())
    context.unsupported("a " + std::string(element.type_name()) + " inside a list, dict or namespace");
  if (element.depth() >= kMaxDepth) context.fail("values are nested more than " + std::to_string(kMaxDepth) + " deep");
  return std::max(depth, element.depth() + 1);
}

Value convert(const Json& json, int depth, Context& context) {
  if (depth > kMaxDepth) context.fail("the variables are nested more than " + std::to_string(kMaxDepth) + " deep");
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<std::int64_t>();
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) return json.get<double>();
      return json.get<std::int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return Value(json.get<std::string>());
    case Json::value_t::array: {
      List items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(convert(item, depth + 1, context));
      return Value::list(std::move(items), context);
    }
    case Json::value_t::object: {
      Entries entries;
      entries.reserve(json.size());
      for (const auto& [key, item] : json.items()) entries.emplace_back(key, convert(item, depth + 1, context));
      return Value::dict(std::move(entries), context);
    }
    default:
      return None{};
  }
}

}  // namespace

void Context::step(std::size_t count) {
  steps += static_cast<std::int64_t>(std::min<std::size_t>(count, kMaxSteps));
  if (steps > kMaxSteps) fail("rendering takes more than " + std::to_string(kMaxSteps) + " steps");
}

void Context::text(std::size_t size) {
  if (size > kMaxText)
    fail("a text has " + std::to_string(size) + " bytes, at most " + std::to_string(kMaxText) + " are allowed");
  step(size / 64);
  bytes += size;
  if (bytes > kMaxBytes) fail("rendering makes more than " + std::to_string(kMaxBytes) + " bytes of text");
}

void Context::fail(const std::string& what) const {
  throw Error(Exit::input, "chat template, line " + std::to_string(line) + ": " + what,
              "correct the chat template, or the messages given to it");
}

void Context::unsupported(const std::string& construct) const {
  throw Error(Exit::input, "chat template, line " + std::to_string(line) + ": " + construct + " is not supported",
              "rewrite this part of the chat template with if, for, set, macro and the usual filters");
}

Value Value::from_json(const Json& json, Context& context) { return convert(json, 0, context); }

Value Value::list(List items, Context& context) {
  context.step(items.size());
  auto node = std::make_shared<ListNode>();
  for (const Value& item : items) node->depth = depth_over(node->depth, item, context);
  node->items = std::move(items);
  return std::shared_ptr<const ListNode>(std::move(node));
}

Value Value::dict(Entries entries, Context& context) {
  context.step(entries.size());
  auto node = std::make_shared<DictNode>();
  for (const auto& [key, item] : entries) node->depth = depth_over(node->depth, item, context);
  node->entries = std::move(entries);
  return std::shared_ptr<const DictNode>(std::move(node));
}

void put_entry(Entries& entries, const std::string& key, Value value, Context& context) {
  context.step(entries.size() / 8);
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  if (found == entries.end()) {
    entries.emplace_back(key, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

Value Value::text(std::string text, Context& context) {
  context.text(text.size());
  return Value(std::move(text));
}

const std::string* Value::text() const {
  const auto* text = get<Text>();
  return text ? text->get() : nullptr;
}

const List* Value::list() const {
  const auto* node = get<std::shared_ptr<const ListNode>>();
  return node ? &(*node)->items : nullptr;
}

const Entries* Value::dict() const {
  const auto* node = get<std::shared_ptr<const DictNode>>();
  return node ? &(*node)->entries : nullptr;
}

double Value::number() const {
  if (const auto* real = get<double>()) return *real;
  if (const auto* integer = get<std::int64_t>()) return static_cast<double>(*integer);
  return *get<bool>() ? 1 : 0;
}

int Value::depth() const {
  if (const auto* node = get<std::shared_ptr<const ListNode>>()) return (*node)->depth;
  if (const auto* node = get<std::shared_ptr<const DictNode>>()) return (*node)->depth;
  return 0;
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return number() != 0;
  if (text()) return !text()->empty();
  if (list()) return !list()->empty();
  if (dict()) return !dict()->empty();
  return true;
}

std::string_view Value::type_name() const {
  constexpr std::string_view names[] = {"Undefined", "NoneType", "bool",      "int",  "float", "str",
                                        "list",      "dict",     "namespace", "loop", "macro"};
  static_assert(std::size(names) == std::variant_size_v<Data>);
  return names[data_.index()];
}

const Value* Value::find(std::string_view key) const {
  const Entries* entries = dict();
  if (!entries) return nullptr;
  const auto found =
      std::find_if(entries->begin(), entries->end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries->end() ? nullptr : &found->second;
}

bool equal(const Value& a, const Value& b, Context& context) {
  context.step();
  if (a.is_number() && b.is_number()) {
    const auto *x = a.get<std::int64_t>(), *y = b.get<std::int64_t>();
    return x && y ? *x == *y : a.number() == b.number();
  }
  if (a.text() && b.text()) {
    context.step(a.text()->size() / 64);
    return *a.text() == *b.text();
  }
  if (a.list() && b.list()) {
    return std::equal(a.list()->begin(), a.list()->end(), b.list()->begin(), b.list()->end(),
                      [&](const Value& x, const Value& y) { return equal(x, y, context); });
  }
  if (a.dict() && b.dict()) {
    if (a.dict()->size() != b.dict()->size()) return false;
    for (const auto& [key, value] : *a.dict()) {
      context.step(b.dict()->size());
      const Value* other = b.find(key);
      if (!other || !equal(value, *other, context)) return false;
    }
    return true;
  }
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool less(const Value& a, const Value& b, Context& context) {
  if (a.is_number() && b.is_number()) {
    const auto *x = a.get<std::int64_t>(), *y = b.get<std::int64_t>();
    return x && y ? *x < *y : a.number() < b.number();
  }
  if (a.text() && b.text()) return *a.text() < *b.text();
  context.fail("cannot order " + std::string(a.type_name()) + " and " + std::string(b.type_name()));
}

bool contains(const Value& all, const Value& one, Context& context) {
  if (const std::string* text = all.text()) {
    if (!one.text()) context.fail("'in' a text needs a text, not " + std::string(one.type_name()));
    context.step(text->size() / 64);
    return text->find(*one.text()) != std::string::npos;
  }
  if (all.dict()) {
    context.step(all.dict()->size());
    return one.text() && all.find(*one.text());
  }
  if (const List* items = all.list()) {
    return std::any_of(items->begin(), items->end(), [&](const Value& item) { return equal(item, one, context); });
  }
  if (all.is_undefined()) return false;
  context.fail(std::string(all.type_name()) + " has no elements to look for");
}

List iterate(const Value& value, Context& context) {
  List items;
  if (const List* list = value.list()) {
    context.step(list->size());
    return *list;
  }
  if (const Entries* entries = value.dict()) {
    context.step(entries->size());
    for (const auto& [key, item] : *entries) items.emplace_back(key);
  } else if (const std::string* text = value.text()) {
    context.step(text->size());
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t length = code_point_at(*text, at).length;
      items.emplace_back(text->substr(at, length));
      at += length;
    }
  } else if (!value.is_undefined()) {
    context.fail("a value of type " + std::string(value.type_name()) + " cannot be iterated over");
  }
  return items;
}

}  // namespace frugal::chat_template
