// Attention of a layer, forward over a packed batch:
//   x = norm(h);  q, k, v = x Wq^T + bq, ... , q and k turned by their positions
//   a = softmax(q k^T / sqrt(D)) v, each head of queries with its head of keys, tokens seeing those before them
//   h <- h + a Wo^T + bo
// in three steps with a barrier between; beside every linear goes what its low-rank pair makes of the same input.
// Private to nn/.
#pragma once
#include <span>

#include "frugal/nn/blocks/layer_call.h"
#include "frugal/nn/model/kv_cache.h"

namespace frugal {

template <class T>
class AttentionBlock {
 public:
  // caches: none, or one a segment, which take in its keys and values.
  AttentionBlock(const LayerCall<T>& call, std::span<KvCache* const> caches);
  void project(const Rows& rows) const;  // h to q k v; expects their weights in panels_qkv
  // Items of attention itself: branch x sequence, of long ones by heads of keys.
  std::int64_t items() const { return call_.view.branches() * segments_ * parts_; }
  void attend(std::int64_t item, int thread) const;
  void output(const Rows& rows) const;  // h takes in a Wo^T; expects Wo in panels_rest

 private:
  const LayerCall<T>& call_;
  std::span<KvCache* const> caches_;
  std::int64_t segments_, parts_;
};

// Parts that the attention of each segment is cut into, each of as many heads of keys, so that threads share a long
// one. The batch alone decides.
std::int64_t attention_parts(const PackedBatch& batch, const LayerLayout& at);

}  // namespace frugal
