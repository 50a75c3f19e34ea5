#include "frugal/tune/registry.h"

#include <algorithm>

namespace frugal {

void Registry::add(MethodInfo method) {
  const auto place = std::lower_bound(methods_.begin(), methods_.end(), method.name,
                                      [](const MethodInfo& each, std::string_view name) { return each.name < name; });
  methods_.insert(place, std::move(method));
}

const MethodInfo* Registry::find(std::string_view name) const {
  for (const auto& method : methods_) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

const MethodInfo& Registry::at(std::string_view name) const {
  if (const MethodInfo* method = find(name)) return *method;
  std::vector<std::string> names;
  std::string listed;
  for (const auto& method : methods_) {
    names.emplace_back(method.name);
    listed += (listed.empty() ? "" : ", ") + names.back();
  }
  throw Error(Exit::usage, "--method is '" + std::string(name) + "', which there is not" + did_you_mean(name, names),
              "the methods are: " + listed);
}

const Registry& methods() {
  static const Registry registry = [] {
    Registry all;
    register_methods(all);
    return all;
  }();
  return registry;
}

}  // namespace frugal
