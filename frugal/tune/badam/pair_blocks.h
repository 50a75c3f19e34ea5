// BAdam's blocks where low-rank pairs take turns: the blocks of the weights, each of the pairs beside its own.
// No LibTorch.
#pragma once
#include "frugal/tune/badam/partition.h"

namespace frugal {

// tensors: all of the model. weights: the index of the weight that each parameter of the pairs stands beside. Members
// are indices of parameters. A block without a pair is left out, and --start-block counts the others.
// Error(Exit::usage): no block has a pair; a start block there is not.
Partition blocks_of_pairs(const std::vector<TensorSpec>& tensors, const std::vector<std::size_t>& weights,
                          const BadamConfig& config);

}  // namespace frugal
