// Units of a layer as a forward sees them: heads of queries and neurons of the feed-forward, switched off or watched.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/core/kernels/kernels.h"

namespace frugal {

// Units that a branch runs without: heads of queries whose result is 0 before the output projection, neurons of the
// feed-forward that are 0 before the down projection. As good as shrunk matrices.
struct UnitMask {
  std::vector<std::int32_t> heads, neurons;  // those switched off
};

// Rows [begin, begin + count) of what a forward of one branch computes, `stride` apart; called from several threads,
// for every row once, layer by layer.
class UnitObserver {
 public:
  virtual ~UnitObserver() = default;
  // The layer's input, [count, hidden]; behind the last layer that of the final norm.
  virtual void hidden(std::size_t /*layer*/, std::int64_t /*begin*/, std::int64_t /*count*/, const float*) {}
  // What the output projection reads, [count, heads D], and what the down projection reads, [count, F].
  virtual void attended(std::size_t, std::int64_t /*begin*/, std::int64_t /*count*/, const float*, std::int64_t) {}
  virtual void attended(std::size_t, std::int64_t, std::int64_t, const kernels::Bf16*, std::int64_t) {}
  virtual void activated(std::size_t, std::int64_t, std::int64_t, const float*, std::int64_t /*stride*/) {}
  virtual void activated(std::size_t, std::int64_t, std::int64_t, const kernels::Bf16*, std::int64_t) {}
};

}  // namespace frugal
