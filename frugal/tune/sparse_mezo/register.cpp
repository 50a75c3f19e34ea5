#include "frugal/tune/mezo/plan.h"
#include "frugal/tune/registry.h"
#include "frugal/tune/sparse_mezo/config.h"

namespace frugal {

namespace {

MethodPlan plan(const PlanRequest& request, const Json&, const SparseMezoConfig& config) {
  return plan_zeroth_order(
      in_parts(request, config.mezo),
      {config.mezo.samples, !config.dynamic_mask || config.mask.starts_with("file:"), pairs_of(request, config.mezo)});
}

}  // namespace

void register_sparse_mezo(Registry& registry) {
  registry.add(describe_method<SparseMezoConfig>(
      "sparse-mezo", "MeZO on the weights of small magnitude, with larger steps", "arXiv:2402.15751", plan, false, 60));
}

}  // namespace frugal
