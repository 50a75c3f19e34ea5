#include "frugal/tune/registry.h"

namespace frugal {

const MethodTable& methods() {
  static const MethodTable table = [] {
    MethodTable all("--method", "methods");
    register_tune_methods(all);
    return all;
  }();
  return table;
}

std::vector<Planner> planners(const Json& settings, std::string_view chosen) {
  std::vector<Planner> all = {{"eval", false, true, plan_forward}};
  for (const MethodInfo& method : methods().all()) {
    Json own = Json::object();
    for (const FieldInfo& field : method.fields) own[std::string(field.field.name)] = field.initial;
    for (const auto& [name, value] : settings.items()) {
      if (method.name == chosen || !own.contains(name)) own[name] = value;
    }
    // A method whose options do not suit the model has no plan; the verb that asked for others goes on.
    all.push_back({std::string(method.name), true, method.leaves_weights(own),
                   [&method, own](const PlanRequest& request) { return method.plan(request, own); }});
  }
  return all;
}

}  // namespace frugal
