// A layer's forward over a few tokens, as in generation: bound by reading the weights once, so each product is split by
// rows of the weight over the threads and reads the weights as they lie, and so are the pairs beside them. Activations
// are fp32; the caches are of type T. Private to nn/.
#pragma once
#include <span>
#include <vector>

#include "frugal/nn/blocks/layer_layout.h"
#include "frugal/nn/model/kv_cache.h"
#include "frugal/nn/model/pass_memory.h"

namespace frugal {

struct FewTokens {
  Threads& threads;
  const WeightView& view;    // that takes few tokens
  const WeightStore& store;  // its own
  const PackedBatch& batch;
  std::span<KvCache* const> caches;  // one a segment
  PassMemory& pass;
  float norm_eps;
  std::vector<float> x = {}, projected = {}, y = {};  // rows before, between and behind products
};

// The blocks of layer `layer`, as AttentionBlock and FeedForwardBlock compute them.
template <class T>
void attend_few(FewTokens& call, const LayerLayout& at, const LayerIds& id, std::size_t layer);
void feed_forward_few(FewTokens& call, const LayerLayout& at, const LayerIds& id);

}  // namespace frugal
