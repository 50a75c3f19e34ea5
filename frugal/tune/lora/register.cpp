#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/lora/plan.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const LoraConfig& config) {
  const std::uint64_t numbers = low_rank_numbers(request.shape, config.low_rank);
  FirstOrderPlan method = first_order_plan(config.first_order, request, false);
  method.trained = method.gradients = numbers;
  method.beside = 4 * numbers;
  method.weight_gradients = 0.1;  // of the factors alone
  method.has_dropout = config.low_rank.dropout > 0;
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_lora(Registry& registry) {
  registry.add(describe_method<LoraConfig>("lora", "low-rank pairs beside frozen weights, quantised ones too",
                                           "arXiv:2106.09685", plan, true, 10));
}

}  // namespace frugal
