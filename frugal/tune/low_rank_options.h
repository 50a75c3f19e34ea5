// Low-rank settings as a parametrisation. Needs the training floor; low_rank_config.h does not.
#pragma once
#include <filesystem>
#include <memory>

#include "frugal/train/first_order/low_rank.h"
#include "frugal/tune/low_rank_config.h"

namespace frugal {

// Error(Exit::usage) where the settings do not fit the model or the adapter; see LowRankPairs, read_peft_adapter.
inline std::unique_ptr<LowRankPairs> low_rank_pairs(const LowRankConfig& c, std::uint64_t seed,
                                                    const WeightStore& store) {
  if (!c.adapter.empty()) {
    LoraAdapter start = read_peft_adapter(c.adapter, store.shape());
    return std::make_unique<LowRankPairs>(store, std::move(start), c.dropout, seed);
  }
  LowRankOptions options;
  options.rank = c.rank;
  options.alpha = c.alpha;
  options.dropout = c.dropout;
  options.rank_stabilised = c.rslora;
  options.dora = c.dora;
  options.targets = c.targets;
  options.seed = seed;
  return std::make_unique<LowRankPairs>(store, std::move(options));
}
inline std::unique_ptr<LowRankPairs> low_rank_pairs(const LowRankConfig& c, const Json& settings,
                                                    const WeightStore& store) {
  return low_rank_pairs(c, static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1})), store);
}

// What --train names.
inline std::unique_ptr<Parametrisation> trained_parts(const TrainedConfig& c, std::uint64_t seed, WeightStore& store,
                                                      Threads& threads) {
  if (c.is_lora()) return low_rank_pairs(c.low_rank, seed, store);
  return std::make_unique<WholeWeights>(store, threads, std::vector<bool>(store.size(), true));
}

// {} for all weights; else what `trained_parts` needs to make the same pairs again, from wherever it is read.
inline Json describe_trained(TrainedConfig c) {
  if (!c.is_lora()) return Json::object();
  if (!c.low_rank.adapter.empty())
    c.low_rank.adapter = std::filesystem::absolute(c.low_rank.adapter).lexically_normal().string();
  return {{"trained", to_json(c)}};
}

}  // namespace frugal
