// Which parameters take turns: a partition of their names into blocks, and the order of the turns. No LibTorch.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/tune/badam/config.h"

namespace frugal {

struct ParameterBlock {
  std::string name;
  std::vector<std::size_t> members;  // indices of the names, rising
};

struct Partition {
  std::vector<ParameterBlock> blocks;
  std::vector<std::size_t> always;  // trained beside every block
  std::vector<std::size_t> frozen;  // in no block: never trained
};

// names: of all parameters, in the order of the model. A layer is a prefix that ends in ".<number>." (found for at
// least one number); prefixes match whole parts of a name: layers.1 is not layers.10. Norms of a layer join the module
// or the first matrix that follows them. Error(Exit::usage): no block has a member, a custom prefix that matches
// nothing, a parameter in two blocks, a start block there is not.
Partition partition_blocks(const std::vector<std::string>& names, const BadamConfig& config);

// By name: what ratio mode trains a share of, the layers and what is included beside them.
std::vector<bool> in_turns(const std::vector<std::string>& names, const BadamConfig& config);

// The block of step `step`: `every` steps a turn; random: each round is a fresh permutation, a pure function of (seed,
// round).
std::size_t block_at(std::uint64_t step, std::size_t blocks, std::int64_t every, const BadamConfig& config,
                     std::uint64_t seed);

}  // namespace frugal
