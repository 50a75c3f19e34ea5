#include "frugal/tune/badam/partition.h"
#include "frugal/tune/first_order_options.h"
#include "frugal/tune/lora/options.h"

namespace frugal {
namespace {

std::unique_ptr<Parametrisation> trained(const BadamConfig& config, const Json& settings, TunerContext& context) {
  if (config.train == "lora") return low_rank_pairs(config.low_rank, settings, context.store);
  return std::make_unique<WholeWeights>(context.store, context.decoder.threads(),
                                        std::vector<bool>(context.store.size(), true));
}

}  // namespace

void register_tuner_badam(TunerRegistry& registry) {
  registry.add("badam", [](const Json& settings, TunerContext& context) -> std::unique_ptr<Tuner> {
    const auto config = from_json<BadamConfig>(settings);
    auto what = trained(config, settings, context);
    std::vector<std::string> names;
    for (const Parameter& p : what->parameters()) names.push_back(p.name);
    const Partition partition = partition_blocks(names, config);
    BlockSchedule schedule;
    schedule.always = partition.always;
    for (const ParameterBlock& block : partition.blocks) {
      schedule.blocks.push_back(block.members);
      schedule.names.push_back(block.name);
    }
    const std::size_t blocks = schedule.blocks.size();
    const auto batch = settings.value("batch", std::int64_t{16}),
               examples = static_cast<std::int64_t>(context.objective == nullptr ? 0 : context.objective->size());
    if (context.chosen.is_null())
      context.chosen = {{"switch_every", config.switch_every.steps(examples, batch, blocks)},
                        {"blocks", schedule.names}};
    const auto every = context.chosen["switch_every"].get<std::int64_t>();
    const auto seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1}));
    schedule.active = [=](std::uint64_t step) { return block_at(step, blocks, every, config, seed); };
    // One block that is trained all the time is plain AdamW: its state is not dropped.
    schedule.starts = [=](std::uint64_t step) {
      return blocks > 1 && config.switch_mode != "fixed" && step % static_cast<std::uint64_t>(every) == 0;
    };
    schedule.resets_always = config.reset_always_active;
    FirstOrderOptions options = first_order_options(config.first_order, settings);
    if (config.train == "lora") options.likely_rates = {1e-4, 3e-4, 1e-3, 3e-3};
    return std::make_unique<FirstOrderTuner>(std::move(what), context.decoder, context.objective, options,
                                             std::move(schedule));
  });
}

}  // namespace frugal
