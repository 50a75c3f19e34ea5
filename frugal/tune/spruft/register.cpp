#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/registry.h"
#include "frugal/tune/spruft/selection.h"

namespace frugal {
namespace {

// Rows in fp32 beside the base, their gradients and state; before the first step the dense gradients that scores are
// made from.
MethodPlan plan(const PlanRequest& request, const Json&, const SpruftConfig& config) {
  std::uint64_t trained = 0, scored = 0, linears = 0;
  for (const TensorSpec& spec : tensor_specs(request.shape)) {
    if (!is_target(spec.name, config.targets)) continue;
    trained +=
        static_cast<std::uint64_t>(row_budget(config, spec.name, spec.rows)) * static_cast<std::uint64_t>(spec.cols);
    linears += static_cast<std::uint64_t>(spec.rows) * static_cast<std::uint64_t>(spec.cols);
  }
  const bool is_dense = config.score == "taylor" || config.score == "fisher" || config.score == "qm-taylor";
  const auto layers = static_cast<double>(request.shape.layers.size());
  if (is_dense)
    scored = static_cast<std::uint64_t>(
        static_cast<double>(linears) *
        (config.score_layers > 0 ? std::min(1.0, static_cast<double>(config.score_layers) / layers) : 1));
  FirstOrderPlan method = first_order_plan(config.first_order, request, false);
  method.trained = trained;
  method.beside = 4 * trained;
  // Scoring ends before the optimiser's state is made.
  const std::uint64_t later = trained * (4 + method.optimizer_bytes + 4);
  method.gradients = trained + (4 * scored > later ? (4 * scored - later) / 4 : 0);
  method.weight_gradients = linears == 0 ? 0 : static_cast<double>(trained) / static_cast<double>(linears);
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_spruft(Registry& registry) {
  registry.add(describe_method<SpruftConfig>("spruft", "the most important rows of each linear by AdamW",
                                             "arXiv:2502.11439", plan, true, 30));
}

}  // namespace frugal
