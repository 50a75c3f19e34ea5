#include "frugal/tune/registry.h"

#include <algorithm>

namespace frugal {

bool MethodInfo::leaves_weights(const Json& settings) const {
  const bool has_choice =
      std::any_of(fields.begin(), fields.end(), [](const FieldInfo& info) { return info.field.name == "train"; });
  return takes_stored || (has_choice && settings.value("train", std::string()) == "lora");
}

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

std::vector<Planner> planners(const Json& settings, std::string_view chosen) {
  std::vector<Planner> all = {{"eval", false, true, plan_forward}};
  for (const MethodInfo& method : methods().all()) {
    Json own = Json::object();
    for (const FieldInfo& field : method.fields) own[std::string(field.field.name)] = field.initial;
    for (const auto& [name, value] : settings.items()) {
      if (method.name == chosen || !own.contains(name)) own[name] = value;
    }
    all.push_back({std::string(method.name), true, method.leaves_weights(own),
                   [&method, own](const PlanRequest& request) { return method.plan(request, own); }});
  }
  return all;
}

}  // namespace frugal
