#include <cmath>
#include <numeric>

#include "frugal/train/parametrisation/windowed_weights.h"
#include "frugal/tune/badam/pair_blocks.h"
#include "frugal/tune/torch/first_order_run.h"
#include "frugal/tune/torch/trained_parts.h"

namespace frugal {
namespace {

// A share of every tensor at a time.
std::unique_ptr<Parametrisation> windows(const BadamConfig& config, TunerContext& context) {
  const std::vector<TensorSpec> tensors = tensor_specs(context.store.shape());
  const auto order = config.mask == "scatter"         ? WindowOptions::Order::scatter
                     : config.mask == "adjacent_rows" ? WindowOptions::Order::adjacent_rows
                                                      : WindowOptions::Order::adjacent;
  return std::make_unique<WindowedWeights>(context.store, context.threads, in_turns(tensors, config),
                                           WindowOptions{order, config.ratio, context.run.seed});
}

std::unique_ptr<Parametrisation> trained(const BadamConfig& config, TunerContext& context) {
  if (config.ratio > 0) return windows(config, context);
  return trained_parts(config.trained, context.run.seed, context.store, context.threads);
}

// Blocks of the parameters; those of pairs are the blocks of the weights they stand beside.
Partition partition_of(const Parametrisation& what, const WeightStore& store, const BadamConfig& config) {
  if (!config.trained.is_lora()) {
    std::vector<TensorSpec> tensors;
    for (const Parameter& p : what.parameters()) tensors.push_back(store.spec(p.id));
    return partition_blocks(tensors, config);
  }
  std::vector<std::size_t> weights;
  for (const Parameter& p : what.parameters()) weights.push_back(p.id);
  return blocks_of_pairs(tensor_specs(store.shape()), weights, config);
}

std::unique_ptr<Tuner> make(const BadamConfig& config, TunerContext& context) {
  if (config.keep_residual && context.run.weights != WeightType::bf16) {
    throw Error(Exit::usage,
                std::string("--keep-residual is given, but --weights ") + name(context.run.weights) +
                    " lose nothing when a block ends",
                "leave one of them out");
  }
  auto what = trained(config, context);
  const bool has_blocks = config.ratio == 0;
  BlockSchedule schedule;
  if (has_blocks) {
    const Partition partition = partition_of(*what, context.store, config);
    schedule.always = partition.always;
    for (const ParameterBlock& block : partition.blocks) {
      schedule.blocks.push_back(block.members);
      schedule.names.push_back(block.name);
    }
  } else {
    schedule.names = {"a share of all"};
    schedule.blocks.emplace_back(what->parameters().size());
    std::iota(schedule.blocks[0].begin(), schedule.blocks[0].end(), std::size_t{0});
  }
  const std::size_t blocks = schedule.blocks.size(),
                    turns = has_blocks ? blocks : static_cast<std::size_t>(std::ceil(1 / config.ratio));
  const auto examples = static_cast<std::int64_t>(context.objective == nullptr ? 0 : context.objective->size());
  if (context.chosen.is_null())
    context.chosen = {{"switch_every", config.switch_every.steps(examples, context.run.batch, turns)},
                      {"blocks", schedule.names}};
  const auto every = context.chosen["switch_every"].get<std::int64_t>();
  const std::uint64_t seed = context.run.seed;
  schedule.active = [=](std::uint64_t step) {
    return has_blocks ? block_at(step, blocks, every, config, seed) : std::size_t{0};
  };
  // One block that is trained all the time is plain AdamW: its state is not dropped.
  const bool has_turns = turns > 1 && config.switch_mode != "fixed";
  schedule.turn = [=](std::uint64_t step) { return has_turns ? step / static_cast<std::uint64_t>(every) : 0; };
  schedule.resets_always = config.reset_always_active;
  FirstOrderRun run = first_order_run(config.first_order, context.run);
  run.keeps_residuals = config.keep_residual;
  if (config.trained.is_lora()) run.likely_rates = {1e-4, 3e-4, 1e-3, 3e-3};
  return std::make_unique<FirstOrderTuner>(std::move(what), context.threads, context.objective, config.first_order, run,
                                           std::move(schedule));
}

}  // namespace

void register_tuner_tune_badam(TunerRegistry& registry) { registry.add("badam", make); }

}  // namespace frugal
