// Which parameters take turns: a partition of the tensors into blocks, and the order of the turns. No LibTorch.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/formats/model_shape.h"
#include "frugal/tune/badam/config.h"

namespace frugal {

struct ParameterBlock {
  std::string name;
  std::vector<std::size_t> members;  // indices of the tensors, rising
};

struct Partition {
  std::vector<ParameterBlock> blocks;
  std::vector<std::size_t> always;  // trained beside every block
  std::vector<std::size_t> frozen;  // in no block: never trained
};

// tensors: all that have parameters, in their order. Blocks go by layer and role; --block custom and --always-active by
// prefixes of names, which match whole parts of one: layers.1 is not layers.10. Norms of a layer join the module or the
// linear that they feed. Error(Exit::usage): no block has a member, a custom prefix that matches nothing, a tensor in
// two blocks, a start block there is not.
Partition partition_blocks(const std::vector<TensorSpec>& tensors, const BadamConfig& config);

// By tensor: what ratio mode trains a share of, the layers and what is included beside them.
std::vector<bool> in_turns(const std::vector<TensorSpec>& tensors, const BadamConfig& config);

// The block of step `step`: `every` steps a turn; random: each round is a fresh permutation, a pure function of (seed,
// round).
std::size_t block_at(std::uint64_t step, std::size_t blocks, std::int64_t every, const BadamConfig& config,
                     std::uint64_t seed);

}  // namespace frugal
