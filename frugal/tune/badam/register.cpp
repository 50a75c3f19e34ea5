#include "frugal/tune/badam/partition.h"
#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/lora/plan.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

// Gradients and state are of the largest block and of what is always active.
MethodPlan plan(const PlanRequest& request, const Json&, const BadamConfig& config) {
  std::vector<std::string> names;
  std::vector<std::uint64_t> sizes;
  for (const TensorSpec& spec : tensor_specs(request.shape)) {
    names.push_back(spec.name);
    sizes.push_back(static_cast<std::uint64_t>(spec.rows) * static_cast<std::uint64_t>(spec.cols));
  }
  const Partition partition = partition_blocks(names, config);
  const auto size_of = [&](const std::vector<std::size_t>& members) {
    std::uint64_t sum = 0;
    for (const std::size_t i : members) sum += sizes[i];
    return sum;
  };
  std::uint64_t most = 0;
  for (const ParameterBlock& block : partition.blocks) most = std::max(most, size_of(block.members));
  const bool is_lora = config.train == "lora";
  FirstOrderPlan method = first_order_plan(config.first_order, request, !is_lora);
  const auto blocks = static_cast<double>(partition.blocks.size());
  method.trained = method.gradients = most + size_of(partition.always);
  method.depth = partition.always.empty() ? (blocks + 1) / (2 * blocks) : 1;
  method.weight_gradients = 1 / blocks;
  if (is_lora) {
    const std::uint64_t numbers = low_rank_numbers(request.shape, config.low_rank);
    method.trained = method.gradients = numbers;  // of one block: less than all pairs, which are small
    method.beside = 4 * numbers;
    method.has_dropout = config.low_rank.dropout > 0;
  }
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_badam(Registry& registry) {
  registry.add(describe_method<BadamConfig>("badam", "all weights by AdamW, one block after the other",
                                            "arXiv:2404.02827", plan, false, 40));
}

}  // namespace frugal
