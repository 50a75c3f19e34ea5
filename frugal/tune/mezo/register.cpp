#include "frugal/tune/low_rank_face.h"
#include "frugal/tune/mezo/config.h"
#include "frugal/tune/zeroth_order_plan.h"

namespace frugal {

namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const MezoConfig& config) {
  return plan_zeroth_order(in_parts(request, config), {config.samples, false, pairs_of(request, config)});
}

}  // namespace

void register_tune_mezo(MethodTable& table) {
  MethodInfo method = describe_method<MezoConfig>("mezo", "all weights from two forward passes a step, no gradients",
                                                  "arXiv:2305.17333", plan, 50);
  method.leaves_weights = trains_pairs;
  add_pair_faces(method, false);
  method.sst2 = 0.805;
  table.add(std::move(method));
}

}  // namespace frugal
