#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/lora/config.h"
#include "frugal/tune/low_rank_face.h"
#include "frugal/tune/low_rank_plan.h"

namespace frugal {
namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const LoraConfig& config) {
  FirstOrderPlan method = first_order_plan(config.first_order, request, false);
  const PairSizes pairs(request.shape, config.low_rank);
  method.trained = pairs.all();
  method.gradients =
      gradients_held(config.first_order, request, [&](const TensorSpec& spec) { return pairs.of(spec); });
  add_pairs(method, pairs, config.low_rank);
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_tune_lora(MethodTable& table) {
  MethodInfo method = describe_method<LoraConfig>("lora", "low-rank pairs beside frozen weights, quantised ones too",
                                                  "arXiv:2106.09685", plan, 10);
  method.leaves_weights = [](const Json&) { return true; };
  add_pair_faces(method, true);
  const auto refuse_pairs = method.refuse_unused;
  method.refuse_unused = [refuse_pairs](const Settings& settings) {
    refuse_pairs(settings);
    refuse_unused_first_order_options(settings);
  };
  method.dpo_lr = 5e-5;
  method.sst2 = 0.873;
  table.add(std::move(method));
}

}  // namespace frugal
