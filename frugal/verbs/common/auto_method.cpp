#include "frugal/verbs/common/auto_method.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/machine_memory.h"
#include "frugal/base/units.h"
#include "frugal/tune/registry.h"

namespace frugal {

namespace {

bool minimises(const MethodInfo& method, std::string_view objective) {
  return std::find(method.objectives.begin(), method.objectives.end(), objective) != method.objectives.end();
}

bool takes_stored(const MethodInfo& method) { return method.leaves_weights(Json::object()); }

std::vector<const MethodInfo*> by_preference(const std::string& objective) {
  std::vector<const MethodInfo*> order;
  for (const MethodInfo& method : methods().all()) {
    if (minimises(method, objective)) order.push_back(&method);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->preference < b->preference; });
  return order;
}

// The weights a method may take: the request's, unless it cannot, and the blocks as stored.
std::vector<WeightType> weights_of(const MethodInfo& method, const PlanRequest& request, bool has_fixed_weights) {
  if (!can_change(request.weights) && !takes_stored(method)) return {};
  if (has_fixed_weights || !takes_stored(method) || request.weights == WeightType::stored) return {request.weights};
  return {request.weights, WeightType::stored};
}

}  // namespace

CheapestMethod cheapest_method(const std::vector<Planner>& all, const PlanRequest& request, bool has_fixed_weights,
                               const std::string& objective) {
  CheapestMethod cheapest;
  for (const MethodInfo* method : by_preference(objective)) {
    const Planner& planner =
        *std::find_if(all.begin(), all.end(), [&](const Planner& each) { return each.method == method->name; });
    for (const WeightType weights : weights_of(*method, request, has_fixed_weights)) {
      PlanRequest with = request;
      with.weights = weights;
      const std::uint64_t needed = plan_row(planner, with).peak;
      if (!cheapest.options.empty() && needed >= cheapest.bytes) continue;
      cheapest = {"--method " + std::string(method->name) +
                      (weights == request.weights ? "" : std::string(" --weights ") + name(weights)),
                  needed};
    }
  }
  return cheapest;
}

AutoMethod choose_method(PlanRequest& request, bool has_fixed_weights, const std::string& objective) {
  if (request.memory == 0) request.memory = available_memory();
  const std::uint64_t limit = request.memory == 0 ? ~0ull : request.memory;  // 0: the system does not say
  const std::vector<const MethodInfo*> order = by_preference(objective);
  const std::vector<Planner> all = planners();
  const auto planner_of = [&](const MethodInfo& method) {
    return *std::find_if(all.begin(), all.end(), [&](const Planner& each) { return each.method == method.name; });
  };
  const std::uint64_t window = std::exchange(request.file_window, 0);
  std::string before;  // those passed over and what they need
  const MethodInfo* cheapest = nullptr;
  std::uint64_t least = 0;
  // Methods whose weights stay in memory first; then those that read the file in each pass.
  for (const bool streams : {false, true}) {
    if (streams && window == 0) break;
    request.file_window = streams ? window : 0;
    before.clear();
    cheapest = nullptr;
    for (const MethodInfo* method : order) {
      const std::vector<WeightType> weights = weights_of(*method, request, has_fixed_weights);
      if (weights.empty()) continue;
      std::uint64_t needed = 0;
      for (const WeightType each : weights) {
        PlanRequest with = request;
        with.weights = each;
        needed = plan_row(planner_of(*method), with).peak;
        if (needed > limit) continue;
        std::string reason = std::string(method->name) + " with --weights " + name(each) + " needs " +
                             format_bytes(needed) + (request.memory == 0 ? "" : " of " + format_bytes(request.memory));
        if (!before.empty()) reason += "; preferred but too large: " + before;
        request.file_window = window;
        return {std::string(method->name), each, reason};
      }
      before += (before.empty() ? "" : ", ") + std::string(method->name) + " (" +
                format_budget(smallest_budget(needed)) + ")";
      if (cheapest == nullptr || needed < least) {
        cheapest = method;
        least = needed;
      }
    }
  }
  throw Error(Exit::budget, "--method auto: no method fits " + format_bytes(request.memory) + "; needed are " + before,
              cheapest == nullptr ? "leave --weights out"
                                  : "--memory " + format_budget(smallest_budget(least)) + " holds " +
                                        std::string(cheapest->name) + "; or a smaller --batch or --max-length");
}

}  // namespace frugal
