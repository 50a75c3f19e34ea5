#include <algorithm>
#include <optional>

#include "frugal/train/config/run.h"
#include "frugal/tune/badam/pair_blocks.h"
#include "frugal/tune/first_order_plan.h"
#include "frugal/tune/low_rank_face.h"
#include "frugal/tune/low_rank_plan.h"

namespace frugal {
namespace {

// A share of every tensor: windows of the first turn, whose rows at either end are made whole.
MethodPlan plan_ratio(const PlanRequest& request, const BadamConfig& config) {
  const std::vector<TensorSpec> specs = tensor_specs(request.shape);
  const std::vector<bool> chosen = in_turns(specs, config);
  FirstOrderPlan method = first_order_plan(config.first_order, request, true);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (chosen[i])
      method.trained += static_cast<std::uint64_t>(config.ratio * static_cast<double>(numbers_in(specs[i])));
  }
  const bool is_by_row = config.mask != "scatter";
  method.gradients = gradients_held(config.first_order, request, [&](const TensorSpec& spec) -> std::uint64_t {
    const auto at = std::find_if(specs.begin(), specs.end(), [&](const auto& each) { return each.name == spec.name; });
    if (!chosen[static_cast<std::size_t>(at - specs.begin())]) return 0;
    if (!is_by_row || !spec.is_layer_linear()) return numbers_in(spec);
    const auto rows = static_cast<std::uint64_t>(config.ratio * static_cast<double>(spec.rows)) + 2;
    return std::min(numbers_in(spec), rows * static_cast<std::uint64_t>(spec.cols));
  });
  method.weight_gradients = is_by_row ? config.ratio : 1;
  method.trains_head = config.include_embedding || config.include_lm_head;
  return plan_first_order(request, method, config.first_order.activations);
}

// The lowest layer that the turns of a run reach: what lies below leaves nothing on the tape. Unknown lengths of turns
// are taken as the shortest, runs of unknown length and races of step sizes reach everything.
std::uint64_t lowest_layer(const PlanRequest& request, const Json& settings, const BadamConfig& config,
                           const Partition& partition, const std::vector<TensorSpec>& tensors) {
  const auto layers = static_cast<std::int64_t>(request.shape.layers.size());
  const RunSettings run = run_settings(settings);
  if (run.steps < 0 || config.first_order.step.lr.is_automatic) return 0;
  const auto lowest_of = [&](const std::vector<std::size_t>& members) {
    std::int64_t lowest = layers;
    for (const std::size_t i : members) lowest = std::min(lowest, std::max<std::int64_t>(0, tensors[i].layer));
    return lowest;
  };
  const std::int64_t every = config.switch_every.is_automatic ? SwitchEvery::kLeast : config.switch_every.value;
  const std::size_t blocks = partition.blocks.size();
  std::int64_t lowest = lowest_of(partition.always);
  const std::int64_t turns = std::min<std::int64_t>((run.steps + every - 1) / every, static_cast<std::int64_t>(blocks));
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    const auto step = static_cast<std::uint64_t>(turn * every);
    lowest = std::min(lowest, lowest_of(partition.blocks[block_at(step, blocks, every, config, run.seed)].members));
  }
  return static_cast<std::uint64_t>(lowest);
}

// Gradients and state are of the largest block and of what is always active.
MethodPlan plan(const PlanRequest& request, const Json& settings, const BadamConfig& config) {
  if (config.ratio > 0) return plan_ratio(request, config);
  const std::vector<TensorSpec> tensors = tensor_specs(request.shape);
  std::vector<std::uint64_t> sizes;
  std::vector<std::size_t> weights;
  const bool is_lora = config.trained.is_lora();
  std::optional<PairSizes> pairs;
  if (is_lora) pairs.emplace(request.shape, config.trained.low_rank);
  for (std::size_t id = 0; id < tensors.size(); ++id) {
    const std::uint64_t own = is_lora ? pairs->of(tensors[id]) : numbers_in(tensors[id]);
    if (own == 0) continue;
    sizes.push_back(own);
    weights.push_back(id);
  }
  const Partition partition = is_lora ? blocks_of_pairs(tensors, weights, config) : partition_blocks(tensors, config);
  const auto size_of = [&](const std::vector<std::size_t>& members) {
    std::uint64_t sum = 0;
    for (const std::size_t i : members) sum += sizes[i];
    return sum;
  };
  std::uint64_t most = 0;
  for (const ParameterBlock& block : partition.blocks) most = std::max(most, size_of(block.members));
  FirstOrderPlan method = first_order_plan(config.first_order, request, !is_lora);
  const auto blocks = static_cast<double>(partition.blocks.size());
  method.trained = method.gradients = most + size_of(partition.always);
  method.depth = partition.always.empty() ? (blocks + 1) / (2 * blocks) : 1;
  method.weight_gradients = 1 / blocks;
  method.trains_head = !is_lora && (config.include_embedding || config.include_lm_head);
  if (!is_lora) method.lowest_layer = lowest_layer(request, settings, config, partition, tensors);
  if (config.keep_residual) {  // a byte a number that is ever trained, and a scale a row
    for (const ParameterBlock& block : partition.blocks) method.kept += size_of(block.members);
    method.kept += size_of(partition.always);
    for (const TensorSpec& spec : tensors) method.kept += 4 * static_cast<std::uint64_t>(spec.rows);
  }
  if (is_lora) {
    add_pairs(method, *pairs, config.trained.low_rank);
    method.weight_gradients /= blocks;
  }
  return plan_first_order(request, method, config.first_order.activations);
}

}  // namespace

void register_tune_badam(MethodTable& table) {
  MethodInfo method = describe_method<BadamConfig>("badam", "all weights by AdamW, one block after the other",
                                                   "arXiv:2404.02827", plan, 40);
  method.leaves_weights = trains_pairs;
  add_pair_faces(method, true);
  const auto refuse_pairs = method.refuse_unused;
  method.refuse_unused = [refuse_pairs](const Settings& settings) {
    refuse_pairs(settings);
    refuse_unused_first_order_options(settings);
  };
  method.dpo_lr = 1e-5;
  method.sst2 = 0.861;
  table.add(std::move(method));
}

}  // namespace frugal
