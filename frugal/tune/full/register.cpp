#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/full/config.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const FullConfig& config) {
  FirstOrderPlan method = first_order_plan(config.first_order, request, true);
  method.trained = static_cast<std::uint64_t>(parameter_count(request.shape));
  method.gradients = gradients_held(config.first_order, request, numbers_in);
  method.trains_head = true;
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_full(Registry& registry) {
  registry.add(describe_method<FullConfig>("full", "all weights by backpropagation and AdamW", "arXiv:1711.05101", plan,
                                           false, 20));
}

}  // namespace frugal
