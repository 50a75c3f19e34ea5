#include "frugal/prune/depth/config.h"
#include "frugal/prune/registry.h"

namespace frugal {

void register_prune_depth(PruneMethodTable& table) {
  PruneMethodInfo method = describe_prune_method<DepthConfig>(
      "depth", "whole layers, those that change the hidden states least", "arXiv:2403.03853");
  method.takes_layers = true;
  table.add(std::move(method));
}

}  // namespace frugal
