// Where names live while a template runs.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "frugal/formats/chat_template/value.h"

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

}  // namespace frugal::chat_template
