// Values of a chat template: immutable data that may be shared, plus the few objects of the language.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "frugal/base/json.h"

namespace frugal::chat_template {

// What a rendering may use, and where it is. Everything that makes or walks values takes part, so that no template runs
// away.
struct Context {
  int line = 1;             // of the statement or expression at work
  std::int64_t steps = 0;   // evaluations, elements and 64-byte pieces of text touched
  std::uint64_t bytes = 0;  // of text made, in all
  int depth = 0;            // of evaluation

  void step(std::size_t count = 1);
  void text(std::size_t size);                            // before a text of this size is made
  [[noreturn]] void fail(const std::string& what) const;  // Error(Exit::input) with the line
  [[noreturn]] void unsupported(const std::string& construct) const;
};

constexpr std::size_t kMaxText = 1 << 20;  // bytes of one text, and of the output

class Value;
using List = std::vector<Value>;
using Entries = std::vector<std::pair<std::string, Value>>;  // in order of insertion, keys once

struct Undefined {
  std::string name;  // for messages
};
struct None {};
struct ListNode;
struct DictNode;
struct Macro;      // interpreter.h
struct Namespace;  // below
struct Loop;       // below

class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<const ListNode>,
                            std::shared_ptr<const DictNode>, std::shared_ptr<Namespace>, std::shared_ptr<const Loop>,
                            const Macro*>;

  Value() = default;  // undefined
  template <class T>
  requires std::is_constructible_v<Data, T> Value(T data)
      : data_(std::move(data)) {}  // NOLINT: a value is what it holds
  explicit Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}

  static Value from_json(const Json& json, Context& context);
  // Error: nested too deep, or an element that is not data (a namespace, a macro).
  static Value list(List items, Context& context);
  static Value dict(Entries entries, Context& context);
  static Value text(std::string text, Context& context);  // charged to the context

  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  const std::string* text() const;  // nullptr: not a text; likewise below
  const List* list() const;
  const Entries* dict() const;
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  bool is_number() const { return get<bool>() || get<std::int64_t>() || get<double>(); }
  double number() const;  // of a number
  bool is_data() const { return data_.index() <= 7; }
  int depth() const;  // 0: not a list or dict

  bool truthy() const;
  std::string_view type_name() const;             // Python's
  const Value* find(std::string_view key) const;  // in a dict

 private:
  Data data_;
};

struct ListNode {
  List items;
  int depth = 1;
};
struct DictNode {
  Entries entries;
  int depth = 1;
};
struct Namespace {
  Entries entries;  // data only, so that there are no cycles
};
struct Loop {
  std::shared_ptr<const List> items;
  std::size_t index = 0;
};

void put_entry(Entries& entries, const std::string& key, Value value, Context& context);  // new, or in place of the old

bool equal(const Value& a, const Value& b, Context& context);
bool less(const Value& a, const Value& b, Context& context);          // Error: not comparable
bool contains(const Value& all, const Value& one, Context& context);  // Python's `one in all`
List iterate(const Value& value, Context& context);                   // Error: not iterable
std::string to_text(const Value& value, Context& context);            // Python's str()
// As json.dumps with ensure_ascii=False; indent < 0: on one line.
std::string to_json_text(const Value& value, int indent, Context& context);

}  // namespace frugal::chat_template
