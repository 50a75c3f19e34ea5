#include "frugal/formats/chat_template/interpreter.h"

#include <algorithm>

#include "frugal/formats/chat_template/scope.h"

namespace frugal::chat_template {
namespace {

constexpr int kMaxDepth = 800;
using Kind = Expression::Type;

enum class Flow { on, leave, skip };

// A function of the language, as a value: defined, and called by its name only.
const Macro kFunction{nullptr, nullptr};

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
    put_entry((*space)->entries, statement.text, std::move(value), context_);
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
          put_entry(entries, text_of(part(i), "a dict's key", context_), part(i + 1), context_);
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
    if (is_function(name)) return &kFunction;
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
    return call_function(callee.text, given, context_);
  }

  Value call_macro(const Macro& macro, const Arguments& given) {
    const Statement& definition = *macro.statement;
    Scope inner(macro.scope);
    std::vector<std::string_view> names;
    for (const auto& [name, otherwise] : definition.parameters) names.push_back(name);
    given.check(definition.names[0], names.size(), names, context_);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string& name = definition.parameters[i].first;
      const auto& otherwise = definition.parameters[i].second;
      const bool is_given = i < given.values.size() || std::any_of(given.named.begin(), given.named.end(),
                                                                   [&](const auto& n) { return n.first == name; });
      inner.set(name, is_given || !otherwise ? given.get(i, name) : evaluate(*otherwise, inner));
    }
    return Value(captured(definition.branches[0].body, inner));
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
