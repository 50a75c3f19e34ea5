// What --train names as a parametrisation, and how a log of steps says what it was.
#pragma once
#include <filesystem>
#include <memory>

#include "frugal/base/error.h"
#include "frugal/base/sha256.h"
#include "frugal/train/config/low_rank.h"
#include "frugal/train/parametrisation/low_rank.h"

namespace frugal {

// Error(Exit::usage) where the settings do not fit the model or the adapter; see LowRankPairs, read_peft_adapter.
inline std::unique_ptr<LowRankPairs> low_rank_pairs(const LowRankConfig& c, std::uint64_t seed,
                                                    const WeightStore& store) {
  if (!c.adapter.empty()) {
    LoraAdapter start = read_peft_adapter(c.adapter, store.shape());
    return std::make_unique<LowRankPairs>(store, std::move(start), c.dropout, seed);
  }
  return std::make_unique<LowRankPairs>(store, c, seed);
}

// What --train names.
inline std::unique_ptr<Parametrisation> trained_parts(const TrainedConfig& c, std::uint64_t seed, WeightStore& store,
                                                      Threads& threads) {
  if (c.is_lora()) return low_rank_pairs(c.low_rank, seed, store);
  return std::make_unique<WholeWeights>(store, threads, std::vector<bool>(store.size(), true));
}

// {} for all weights; else what `trained_parts` needs to make the same pairs again, from wherever it is read, and the
// SHA-256 of the files of an adapter they go on from. Error(Exit::input): one cannot be read.
inline Json describe_trained(TrainedConfig c) {
  if (!c.is_lora()) return Json::object();
  if (c.low_rank.adapter.empty()) return {{"trained", to_json(c)}};
  const std::filesystem::path adapter = std::filesystem::absolute(c.low_rank.adapter).lexically_normal();
  c.low_rank.adapter = adapter.string();
  Json hashes;
  for (const char* file : {"adapter_config.json", "adapter_model.safetensors"})
    hashes[file] = sha256_file(adapter / file);
  return {{"trained", to_json(c)}, {"adapter_sha256", hashes}};
}

// now, recorded: what describe_trained gives, and gave when the run began. Error(Exit::input): the adapter's files are
// others by now. A log of before they were recorded has no hashes and passes.
inline void require_same_adapter(const TrainedConfig& c, const Json& now, const Json& recorded) {
  const Json none = Json::object(), there = now.value("adapter_sha256", none),
             begun = recorded.value("adapter_sha256", none);
  for (const auto& [file, sha256] : begun.items()) {
    const std::string expected = sha256.is_string() ? sha256.get<std::string>() : "", found = there.value(file, "");
    if (found == expected) continue;
    throw Error(Exit::input,
                file + " of " + c.low_rank.adapter + " has sha256 " + found.substr(0, 12) + "..., the run began with " +
                    expected.substr(0, 12) + "...",
                "put back the adapter the run went on from");
  }
}

}  // namespace frugal
