#include "frugal/tune/mezo/plan.h"
#include "frugal/tune/registry.h"

namespace frugal {

namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const MezoConfig& config) {
  return plan_zeroth_order(in_parts(request, config), {config.samples, false, pairs_of(request, config)});
}

}  // namespace

void register_mezo(Registry& registry) {
  registry.add(describe_method<MezoConfig>("mezo", "all weights from two forward passes a step, no gradients",
                                           "arXiv:2305.17333", plan, false, 50));
}

}  // namespace frugal
