// The feed-forward of a layer, over a packed batch: x = norm(h),
//
//   h <- h + (silu(x Wg^T + bg) * (x Wu^T + bu)) Wd^T + bd
//
// and beside every linear what its low-rank pair makes of the same input. Private to nn/.
#pragma once
#include "frugal/nn/blocks/layer_call.h"

namespace frugal {

template <class T>
class FeedForwardBlock {
 public:
  explicit FeedForwardBlock(const LayerCall<T>& call);
  // Its part `part` of call.blocks, whose weights are in panels_rest: the parts' sums go to h one after the other.
  void run(const Rows& rows, std::int64_t part) const;

 private:
  const LayerCall<T>& call_;
};

}  // namespace frugal
