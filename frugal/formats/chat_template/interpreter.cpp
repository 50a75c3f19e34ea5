#include "frugal/formats/chat_template/interpreter.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "frugal/base/error.h"

namespace frugal::chat_template {

// Names that a statement sets are seen by what follows in the same body and in the bodies inside it.
class Scope {
 public:
  explicit Scope(Scope* parent) : parent_(parent) {}
  const Value* find(const std::string& name, Context& context) const {
    for (const Scope* scope = this; scope; scope = scope->parent_) {
      context.step();
      for (const auto& [known, value] : scope->names_) {
        if (known == name) return &value;
      }
    }
    return nullptr;
  }
  void set(const std::string& name, Value value) {
    for (auto& [known, old] : names_) {
      if (known == name) {
        old = std::move(value);
        return;
      }
    }
    names_.emplace_back(name, std::move(value));
  }

 private:
  Scope* parent_;
  std::vector<std::pair<std::string, Value>> names_;
};

namespace {

constexpr int kMaxDepth = 800;
constexpr std::int64_t kMaxRange = 100'000;
using Kind = Expression::Type;

enum class Flow { on, leave, skip };

const Macro kFunction{nullptr,
                      nullptr};  // a function of the language, as a value: defined, and callable by its name only
constexpr std::array<std::string_view, 5> kFunctions = {"raise_exception", "strftime_now", "range", "namespace",
                                                        "dict"};

class Interpreter {
 public:
  explicit Interpreter(Context& context) : context_(context) {}

  std::string run(const Block& block, Scope& scope) {
    execute(block, scope);
    return std::move(out_);
  }

 private:
  struct Depth {
    explicit Depth(Context& context) : context_(context) {
      context_.step();
      if (++context_.depth > kMaxDepth)
        context_.fail("macros call each other more than " + std::to_string(kMaxDepth) + " evaluations deep");
    }
    ~Depth() { --context_.depth; }
    Context& context_;
  };

  // ---- statements ----
  Flow execute(const Block& block, Scope& scope) {
    const Depth depth(context_);
    for (const Statement& statement : block) {
      context_.line = statement.line;
      const Flow flow = execute(statement, scope);
      if (flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  Flow execute(const Statement& statement, Scope& scope) {
    switch (statement.type) {
      case Statement::Type::text:
        put(statement.text);
        break;
      case Statement::Type::output:
        put(to_text(evaluate(*statement.value, scope), context_));
        break;
      case Statement::Type::condition:
        for (const auto& branch : statement.branches) {
          if (!branch.condition || evaluate(*branch.condition, scope).truthy()) return execute(branch.body, scope);
        }
        break;
      case Statement::Type::loop:
        return loop(statement, scope);
      case Statement::Type::assign:
        assign(statement, scope);
        break;
      case Statement::Type::capture: {
        Value text(captured(statement.branches[0].body, scope));
        if (statement.value) text = filtered(*statement.value, std::move(text), scope);
        scope.set(statement.names[0], std::move(text));
        break;
      }
      case Statement::Type::macro:
        macros_.push_back(std::make_unique<Macro>(Macro{&statement, &scope}));
        scope.set(statement.names[0], static_cast<const Macro*>(macros_.back().get()));
        break;
      case Statement::Type::scope: {
        Scope inner(&scope);
        return execute(statement.branches[0].body, inner);
      }
      case Statement::Type::leave:
        return Flow::leave;
      case Statement::Type::skip:
        return Flow::skip;
    }
    return Flow::on;
  }

  void put(std::string_view text) {
    context_.step(text.size() / 64);
    if (out_.size() + text.size() > kMaxText) {
      context_.fail("the output has more than " + std::to_string(kMaxText) + " bytes");
    }
    out_ += text;
  }

  // What the block would put out.
  std::string captured(const Block& block, Scope& scope) {
    std::string outer = std::exchange(out_, {});
    Scope inner(&scope);
    execute(block, inner);
    std::swap(outer, out_);
    context_.text(outer.size());
    return outer;
  }

  void bind(const std::vector<std::string>& names, const Value& value, Scope& scope) {
    if (names.size() == 1) return scope.set(names[0], value);
    const List items = iterate(value, context_);
    if (items.size() != names.size()) {
      context_.fail(std::to_string(items.size()) + " values for " + std::to_string(names.size()) + " names");
    }
    for (std::size_t i = 0; i < names.size(); ++i) scope.set(names[i], items[i]);
  }

  void assign(const Statement& statement, Scope& scope) {
    Value value = evaluate(*statement.value, scope);
    if (statement.text.empty()) return bind(statement.names, value, scope);
    const Value* target = scope.find(statement.names[0], context_);
    const auto* space = target ? target->get<std::shared_ptr<Namespace>>() : nullptr;
    if (!space)
      context_.fail("'" + statement.names[0] + "' is not a namespace, so '" + statement.text + "' cannot be set");
    if (!value.is_data()) context_.unsupported("a " + std::string(value.type_name()) + " inside a namespace");
    put_entry((*space)->entries, statement.text, std::move(value));
  }

  void put_entry(Entries& entries, const std::string& key, Value value) {
    context_.step(entries.size() / 8);
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    if (found == entries.end()) {
      entries.emplace_back(key, std::move(value));
    } else {
      found->second = std::move(value);
    }
  }

  Flow loop(const Statement& statement, Scope& scope) {
    List all = iterate(evaluate(*statement.value, scope), context_);
    if (statement.filter) {
      List kept;
      for (Value& item : all) {
        Scope inner(&scope);
        bind(statement.names, item, inner);
        if (evaluate(*statement.filter, inner).truthy()) kept.push_back(std::move(item));
      }
      all = std::move(kept);
    }
    if (all.empty()) return statement.branches.size() > 1 ? execute(statement.branches[1].body, scope) : Flow::on;
    const auto items = std::make_shared<const List>(std::move(all));
    for (std::size_t i = 0; i < items->size(); ++i) {
      Scope inner(&scope);
      inner.set("loop", std::shared_ptr<const Loop>(std::make_shared<Loop>(Loop{items, i})));
      bind(statement.names, (*items)[i], inner);
      if (execute(statement.branches[0].body, inner) == Flow::leave) break;
    }
    return Flow::on;
  }

  // ---- expressions ----
  Value evaluate(const Expression& e, Scope& scope) {
    const Depth depth(context_);
    context_.line = e.line;
    const auto part = [&](std::size_t i) { return e.parts[i] ? evaluate(*e.parts[i], scope) : Value(); };
    switch (e.type) {
      case Kind::literal:
        return e.value;
      case Kind::name:
        return name(e.text, scope);
      case Kind::list: {
        List items;
        items.reserve(e.parts.size());
        for (std::size_t i = 0; i < e.parts.size(); ++i) items.push_back(part(i));
        return Value::list(std::move(items), context_);
      }
      case Kind::dict: {
        Entries entries;
        for (std::size_t i = 0; i < e.parts.size(); i += 2)
          put_entry(entries, text_of(part(i), "a dict's key", context_), part(i + 1));
        return Value::dict(std::move(entries), context_);
      }
      case Kind::attribute:
        return attribute_of(part(0), e.text, context_);
      case Kind::item: {
        const Value object = part(0);
        return item_of(object, part(1), context_);
      }
      case Kind::slice: {
        const Value object = part(0), from = part(1), to = part(2);
        return slice_of(object, from, to, part(3), context_);
      }
      case Kind::call:
        return call(e, scope);
      case Kind::filter:
        return filter(e, part(0), scope);
      case Kind::test: {
        const Value value = part(0);
        return apply_test(e.text, value, arguments(e, 1, scope), context_);
      }
      case Kind::negate:
        return binary("-", std::int64_t{0}, number(part(0)), context_);
      case Kind::plus:
        return number(part(0));
      case Kind::invert:
        return !part(0).truthy();
      case Kind::binary: {
        const Value left = part(0);
        return binary(e.text, left, part(1), context_);
      }
      case Kind::compare:
        return compare(e, scope);
      case Kind::both: {
        Value left = part(0);
        return left.truthy() ? part(1) : left;
      }
      case Kind::either: {
        Value left = part(0);
        return left.truthy() ? left : part(1);
      }
      case Kind::conditional:
        return part(0).truthy() ? part(1) : part(2);
    }
    return {};
  }

  Value number(Value value) const {
    if (!value.is_number()) context_.fail("a sign before a value of type " + std::string(value.type_name()));
    return value;
  }

  Value name(const std::string& name, Scope& scope) {
    if (const Value* found = scope.find(name, context_)) return *found;
    if (std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end()) return &kFunction;
    return Undefined{name};
  }

  Value compare(const Expression& e, Scope& scope) {
    Value left = evaluate(*e.parts[0], scope);
    for (std::size_t i = 0; i < e.operators.size(); ++i) {
      Value right = evaluate(*e.parts[i + 1], scope);
      const std::string& op = e.operators[i];
      const bool holds = op == "=="       ? equal(left, right, context_)
                         : op == "!="     ? !equal(left, right, context_)
                         : op == "in"     ? contains(right, left, context_)
                         : op == "not in" ? !contains(right, left, context_)
                         : op == "<"      ? less(left, right, context_)
                         : op == "<="     ? !less(right, left, context_)
                         : op == ">"      ? less(right, left, context_)
                                          : !less(left, right, context_);
      if (!holds) return false;
      left = std::move(right);
    }
    return true;
  }

  Arguments arguments(const Expression& e, std::size_t first, Scope& scope) {
    Arguments out;
    for (std::size_t i = first; i < e.parts.size(); ++i) out.values.push_back(evaluate(*e.parts[i], scope));
    for (const auto& [name, value] : e.named) out.named.emplace_back(name, evaluate(*value, scope));
    return out;
  }

  Value filter(const Expression& e, Value value, Scope& scope) {
    const Arguments given = arguments(e, 1, scope);
    context_.line = e.line;
    return apply_filter(e.text, value, given, context_);
  }

  // A chain of filters whose innermost operand is `value`.
  Value filtered(const Expression& e, Value value, Scope& scope) {
    if (e.type != Kind::filter) context_.unsupported("a set block with something else than filters");
    if (e.parts[0]) value = filtered(*e.parts[0], std::move(value), scope);
    return filter(e, std::move(value), scope);
  }

  Value call(const Expression& e, Scope& scope) {
    const Expression& callee = *e.parts[0];
    if (callee.type == Kind::attribute) {
      const Value object = evaluate(*callee.parts[0], scope);
      return call_method(callee.text, object, arguments(e, 1, scope), context_);
    }
    const Value target = evaluate(callee, scope);
    const auto* macro = target.get<const Macro*>();
    const std::string shown =
        callee.type == Kind::name ? "'" + callee.text + "'" : "a value of type " + std::string(target.type_name());
    if (!macro) context_.fail(shown + (target.is_undefined() ? " is undefined" : "") + ", and cannot be called");
    const Arguments given = arguments(e, 1, scope);
    context_.line = e.line;
    if (*macro != &kFunction) return call_macro(**macro, given);
    if (callee.type != Kind::name) context_.unsupported("a call of a function by another name");
    return call_function(callee.text, given);
  }

  Value call_macro(const Macro& macro, const Arguments& given) {
    const Statement& definition = *macro.statement;
    Scope inner(macro.scope);
    std::vector<std::string_view> names;
    for (const auto& [name, otherwise] : definition.parameters) names.push_back(name);
    given.check(definition.names[0], names.size(), names, context_);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto& [name, otherwise] = definition.parameters[i];
      const bool is_given = i < given.values.size() || std::any_of(given.named.begin(), given.named.end(),
                                                                   [&](const auto& n) { return n.first == name; });
      inner.set(name, is_given || !otherwise ? given.get(i, name) : evaluate(*otherwise, inner));
    }
    return Value(captured(definition.branches[0].body, inner));
  }

  Value call_function(const std::string& name, const Arguments& given) {
    if (name == "raise_exception") {
      given.check(name, 1, {"message"}, context_);
      throw Error(Exit::input,
                  "the chat template refuses these messages (line " + std::to_string(context_.line) +
                      "): " + to_text(given.get(0, "message"), context_),
                  "change the roles, order or content of the messages as it says");
    }
    if (name == "strftime_now") return now(text_of(given.get(0, "format"), "the format of strftime_now", context_));
    if (name == "range") return range(given);
    if (!given.values.empty()) context_.unsupported("a positional argument of '" + name + "'");
    Entries entries;
    for (const auto& [key, value] : given.named) put_entry(entries, key, value);
    return name == "dict" ? Value::dict(std::move(entries), context_) : make_namespace(std::move(entries));
  }

  Value make_namespace(Entries entries) {
    for (const auto& [key, value] : entries) {
      if (!value.is_data()) context_.unsupported("a " + std::string(value.type_name()) + " inside a namespace");
    }
    return std::make_shared<Namespace>(Namespace{std::move(entries)});
  }

  Value now(const std::string& format) {
    const std::time_t seconds = std::time(nullptr);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    std::array<char, 1024> buffer;
    const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &parts);
    if (size == 0 && !format.empty())
      context_.fail("strftime_now cannot format the time as '" + format.substr(0, 60) + "'");
    return Value(std::string(buffer.data(), size));
  }

  Value range(const Arguments& given) {
    given.check("range", 3, {}, context_);
    if (given.values.empty()) context_.fail("range needs a number");
    const auto at = [&](std::size_t i) { return integer_of(given.values[i], "an argument of range", context_); };
    const std::int64_t begin = given.values.size() > 1 ? at(0) : 0, end = given.values.size() > 1 ? at(1) : at(0);
    const std::int64_t step = given.values.size() > 2 ? at(2) : 1;
    if (step == 0) context_.fail("the step of range is 0");
    List out;
    std::int64_t i = begin;
    while (step > 0 ? i < end : i > end) {
      if (static_cast<std::int64_t>(out.size()) >= kMaxRange)
        context_.fail("range has more than " + std::to_string(kMaxRange) + " elements");
      out.emplace_back(i);
      if (__builtin_add_overflow(i, step, &i)) break;
    }
    return Value::list(std::move(out), context_);
  }

  Context& context_;
  std::string out_;
  std::vector<std::unique_ptr<Macro>> macros_;
};

}  // namespace

std::string render(const Block& block, const Json& variables, Context& context) {
  Scope globals(nullptr);
  for (const auto& [name, value] : variables.items()) globals.set(name, Value::from_json(value, context));
  Scope scope(&globals);
  return Interpreter(context).run(block, scope);
}

}  // namespace frugal::chat_template
