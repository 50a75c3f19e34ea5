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

void register_tune_full(MethodTable& table) {
  MethodInfo method =
      describe_method<FullConfig>("full", "all weights by backpropagation and AdamW", "arXiv:1711.05101", plan, 20);
  method.refuse_unused = refuse_unused_first_order_options;
  method.dpo_lr = 1e-6;
  method.sst2 = 0.870;
  table.add(std::move(method));
}

}  // namespace frugal
