// Low-rank pairs plus and minus eps z beside weights that both branches share; nothing is written to the pairs.
#pragma once
#include <vector>

#include "frugal/train/zeroth_order/stream_ids.h"

namespace frugal {

class PerturbedPairs : public WeightView {
 public:
  // pairs: one branch. masks: by stream id. noise.tensor is set to the stream id of a pair's part.
  PerturbedPairs(const WeightView& pairs, const kernels::Noise& noise, const std::vector<kernels::Mask>& masks)
      : WeightView(pairs.store()), pairs_(pairs), noise_(noise), masks_(masks) {}
  int branches() const override { return 2; }  // plus, minus
  bool shares_weights() const override { return true; }
  const LowRankPair* low_rank(std::size_t id) const override { return pairs_.low_rank(id); }
  void low_rank_part(std::size_t id, PairPart part, float* const* out) const override {
    const LowRankPair& pair = *low_rank(id);
    const std::size_t stream = stream_id(id, part, store_.size());
    kernels::Noise noise = noise_;
    noise.tensor = static_cast<std::uint32_t>(stream);
    kernels::perturb(pair.values(part), out[0], out[1], 0, pair.count(part, store_.spec(id)), noise, masks_[stream]);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, float* const* out) const override {
    pairs_.rows(id, begin, end, out);
    share(out, (end - begin) * store_.spec(id).cols);
  }
  void rows(std::size_t id, std::int64_t begin, std::int64_t end, kernels::Bf16* const* out) const override {
    pairs_.rows(id, begin, end, out);
    share(out, (end - begin) * store_.spec(id).cols);
  }

 private:
  const WeightView& pairs_;
  kernels::Noise noise_;
  const std::vector<kernels::Mask>& masks_;
};

}  // namespace frugal
