// Low-rank settings as a parametrisation. Needs the training floor; config.h does not.
#pragma once
#include "frugal/train/first_order/low_rank.h"
#include "frugal/tune/lora/config.h"

namespace frugal {

inline std::unique_ptr<LowRankPairs> low_rank_pairs(const LowRankConfig& c, const Json& settings,
                                                    const WeightStore& store) {
  const auto seed = static_cast<std::uint64_t>(settings.value("seed", std::int64_t{1}));
  if (!c.adapter.empty()) {
    return std::make_unique<LowRankPairs>(store, read_peft_adapter(c.adapter, store.shape()), c.dropout, seed);
  }
  return std::make_unique<LowRankPairs>(store, LowRankOptions{.rank = c.rank,
                                                              .alpha = c.alpha,
                                                              .dropout = c.dropout,
                                                              .rank_stabilised = c.rslora,
                                                              .targets = c.targets,
                                                              .seed = seed});
}

}  // namespace frugal
