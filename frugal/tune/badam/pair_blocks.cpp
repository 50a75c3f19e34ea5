#include "frugal/tune/badam/pair_blocks.h"

namespace frugal {

Partition blocks_of_pairs(const std::vector<TensorSpec>& tensors, const std::vector<std::size_t>& weights,
                          const BadamConfig& config) {
  BadamConfig of_weights = config;
  of_weights.start_block = -1;
  const Partition all = partition_blocks(tensors, of_weights);
  std::vector<std::vector<std::size_t>> beside(tensors.size());  // parameters, by weight
  for (std::size_t i = 0; i < weights.size(); ++i) beside[weights[i]].push_back(i);
  const auto pairs_of = [&](const std::vector<std::size_t>& members) {
    std::vector<std::size_t> found;
    for (const std::size_t weight : members) found.insert(found.end(), beside[weight].begin(), beside[weight].end());
    std::sort(found.begin(), found.end());
    return found;
  };
  Partition result;
  result.always = pairs_of(all.always);
  result.frozen = pairs_of(all.frozen);
  for (const ParameterBlock& block : all.blocks) {
    std::vector<std::size_t> members = pairs_of(block.members);
    if (!members.empty()) result.blocks.push_back({block.name, std::move(members)});
  }
  if (result.blocks.empty()) {
    throw Error(Exit::usage,
                "none of the " + std::to_string(all.blocks.size()) + " blocks of --block " + config.block +
                    " has a low-rank pair to train",
                "choose --targets inside the blocks, or --block layer");
  }
  if (config.start_block >= static_cast<std::int64_t>(result.blocks.size())) {
    throw Error(Exit::usage,
                "--start-block is " + std::to_string(config.start_block) + ", but " +
                    std::to_string(result.blocks.size()) + " blocks have low-rank pairs",
                "the last is " + std::to_string(result.blocks.size() - 1));
  }
  return result;
}

}  // namespace frugal
