// Where the weights of a layer lie in the panels and its outputs in their rows; what forward and backward share.
// Private to nn/.
#pragma once
#include <algorithm>
#include <vector>

#include "frugal/nn/blocks/workspace.h"
#include "frugal/nn/model/packed_batch.h"
#include "frugal/nn/model/tensor_ids.h"
#include "frugal/plan/cuts.h"
#include "frugal/plan/layer_sizes.h"

namespace frugal {

struct LayerLayout : LayerSizes<std::int64_t> {
  LayerLayout(const ModelShape& shape, const LayerShape& layer)
      : LayerSizes(shape, layer),
        C(attention.C),
        D(attention.D),
        H(attention.H),
        K(attention.K),
        F(feed_forward.F),
        q_width(attention.q_width),
        kv_width(attention.kv_width),
        qkv_width(attention.qkv_width) {}
  std::int64_t C, D, H, K, F, q_width, kv_width, qkv_width;
  bool has_attention() const { return H > 0; }
  bool has_feed_forward() const { return F > 0; }

  std::size_t gate_at() const { return static_cast<std::size_t>(attention.o_weights()); }
  std::size_t down_at() const { return gate_at() + static_cast<std::size_t>(2 * F * C); }
  std::size_t o_bias() const { return static_cast<std::size_t>(qkv_width); }
  std::size_t gate_bias() const { return o_bias() + static_cast<std::size_t>(C); }
  std::size_t down_bias() const { return gate_bias() + static_cast<std::size_t>(2 * F); }
  std::size_t bias_size() const { return down_bias() + static_cast<std::size_t>(C); }

  std::int64_t in(Slot slot) const { return slot == kO ? q_width : slot == kDown ? F : C; }
  std::int64_t out(Slot slot) const {
    switch (slot) {
      case kQ:
        return q_width;
      case kK:
      case kV:
        return kv_width;
      case kGate:
      case kUp:
        return F;
      default:
        return C;
    }
  }
  // Column of a slot's output in the rows it shares with its neighbours (q k v; gate up), and the width of those rows.
  std::int64_t column(Slot slot) const {
    return slot == kK ? q_width : slot == kV ? q_width + kv_width : slot == kUp ? F : 0;
  }
  std::int64_t row_width(Slot slot) const { return slot <= kV ? qkv_width : slot == kGate || slot == kUp ? 2 * F : C; }
  std::size_t bias_at(Slot slot) const {
    return (slot <= kV      ? 0
            : slot == kO    ? o_bias()
            : slot == kDown ? down_bias()
                            : gate_bias()) +
           static_cast<std::size_t>(column(slot));
  }
};

// The feed-forward of a layer whose weights every branch has its own of, in parts of the width F: see ffn_block_width.
struct FfnBlocks {
  std::int64_t count = 1, width = 0;  // of the last one the rest of F
};
inline FfnBlocks ffn_blocks(const LayerLayout& at, const LayerIds& id, const WeightView& view, std::int64_t bytes_each,
                            bool is_recorded) {
  const std::int64_t column = 3 * at.C * bytes_each * view.branches();
  const auto has_bias = [&](Slot slot) { return id[slot].bias != kNoTensor; };
  const bool is_plain = !has_bias(kGate) && !has_bias(kUp) && !has_bias(kDown) && at.q_width == at.C;
  if (is_recorded || view.shares_weights() || !is_plain || !at.has_feed_forward()) return {1, at.F};
  const std::int64_t width = ffn_block_width(at.F, column);
  return {(at.F + width - 1) / width, width};
}

// Vectors are small: made by the caller's thread for all branches.
inline void read_vector(const WeightView& view, std::size_t id, const BranchBuffer& to, std::size_t element) {
  float* out[Preparation<float>::kMaxBranches];
  for (int b = 0; b < view.branches(); ++b) out[b] = to.at<float>(b, element);
  view.rows(id, 0, 1, out);
}
// The norms' gains, one behind the other, and the biases of a layer.
void read_vectors(const WeightView& view, const LayerIds& ids, const LayerLayout& at, Workspace& work);

template <class T>
Preparation<T> prepare_qkv(const WeightView& view, const LayerIds& ids, const LayerLayout& at, const BranchBuffer& to) {
  Preparation<T> work;
  if (!at.has_attention()) return work;
  for (const Slot slot : {kQ, kK, kV})
    work.add(view, ids[slot].weight, to, static_cast<std::size_t>(at.column(slot) * at.C), 0, at.out(slot));
  return work;
}
template <class T>
Preparation<T> prepare_rest(const WeightView& view, const LayerIds& ids, const LayerLayout& at, const BranchBuffer& to,
                            FfnBlocks blocks = {}, std::int64_t block = 0) {
  if (blocks.count == 1) blocks.width = at.F;
  const std::int64_t begin = block * blocks.width, end = std::min(at.F, begin + blocks.width);
  const std::size_t part = static_cast<std::size_t>((end - begin) * at.C);
  Preparation<T> work;
  if (block == 0 && at.has_attention()) work.add(view, ids[kO].weight, to, 0, 0, at.C);
  if (!at.has_feed_forward()) return work;
  work.add(view, ids[kGate].weight, to, at.gate_at(), begin, end);
  work.add(view, ids[kUp].weight, to, at.gate_at() + part, begin, end);
  if (blocks.count == 1)
    work.add(view, ids[kDown].weight, to, at.gate_at() + 2 * part, 0, at.C);
  else
    work.add(view, ids[kDown].weight, to, at.gate_at() + 2 * part, 0, at.C, begin, end);
  return work;
}

}  // namespace frugal
