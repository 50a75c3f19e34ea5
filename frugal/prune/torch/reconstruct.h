// The projections behind units that went, refitted: the o of an attention and the down of a feed-forward.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/products.h"
#include "frugal/formats/patched_model.h"
#include "frugal/formats/shrunk_model.h"

namespace frugal {

struct Refit {
  bool has_weights = true;  // the projections' weights change
  bool has_biases = false;  // they get a bias; alone it is what FLAP compensates with (arXiv:2312.11983, section 3.3)
  double ridge = 0.1;       // over the mean square of a column; measured on SmolLM2: docs/prune.md
};

// The model with the units `kept` of `dense`, whose o and down are such that the hidden states behind each part of a
// layer are, over the windows, as near to those of the dense model as least squares bring them:
//   argmin over W', b of sum_t |h'_t + W' x_t + b - g_t|^2 / (|h_t|^2 + |g_t|^2) + ridge |W' - W|^2
// h: what is behind the part so far; h', x: what is before it, and what the projection reads in the smaller model,
// whose layers before are refitted already; g: the dense model behind the same part; W: the projection without the
// columns that went. So a projection also makes up for what those before it could not. Where biases alone are sought, g
// is the dense part behind the smaller model's states: what goes with the units on average. Where nothing went, nothing
// changes.
// Memory, beside the forward of a batch of each model: hidden states of all windows twice, and the sums of one
// projection; weights are read from the file, a layer at a time, see plan_refit. Time: three forwards of the windows,
// and the products of the sums. Deterministic in everything but the instruction set. Error(Exit::interrupted).
std::shared_ptr<PatchedModel> reconstruct(std::shared_ptr<const ModelSource> dense, const std::vector<KeptUnits>& kept,
                                          const std::vector<std::vector<std::int32_t>>& windows, Refit refit,
                                          Compute compute, Threads& threads);

}  // namespace frugal
