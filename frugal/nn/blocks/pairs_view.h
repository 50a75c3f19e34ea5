// Low-rank pairs beside the linears of a model (LoRA, arXiv:2106.09685): y = x W^T + scale * (dropout(x) a^T) b^T.
// With magnitudes (DoRA, arXiv:2402.09353) row i of W' = W + scale b a is brought to the length magnitude[i]:
//   y = x W^T + (g - 1) (d W^T) + g scale (d a^T) b^T,   d = dropout(x), g[i] = magnitude[i] / |W'[i]|,
// as PEFT computes it, the lengths |W'[i]| constants in the backward. Without dropout that is g (x W'^T).
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "frugal/nn/model/weight_view.h"

namespace frugal {

// The pairs of a model, by the id of the linear's weight.
class PairsView : public BaseView {
 public:
  PairsView(const WeightStore& store, const std::vector<LowRankPair>& pairs) : BaseView(store), pairs_(pairs) {}
  bool is_plain() const override { return false; }
  bool takes_few_tokens() const override {
    return branches() == 1 && dropout_.p == 0 &&
           std::none_of(pairs_.begin(), pairs_.end(), [](const LowRankPair& pair) {
             return pair.rank > 0 && pair.magnitude != nullptr;  // DoRA's takes the lengths of all rows
           });
  }
  const LowRankPair* low_rank(std::size_t id) const override { return pairs_[id].rank > 0 ? &pairs_[id] : nullptr; }
  // Dropout of the pairs' input with probability p, drawn from Philox(key, Stream::dropout); 0: none, as in evaluation.
  void set_dropout(double p, std::uint64_t key) { dropout_ = {p, key}; }
  Dropout low_rank_dropout() const override { return dropout_; }

 private:
  const std::vector<LowRankPair>& pairs_;  // one a tensor of the store; rank 0: none
  Dropout dropout_;
};

// |W[i] + scale b[i] a| of rows [begin, begin + rows) of a linear's weight; w [rows, in] holds these rows of W and
// takes those of the sum. a [rank, in], b [out, rank].
void pair_row_norms(float* w, std::int64_t begin, std::int64_t rows, std::int64_t in, std::int64_t rank, float scale,
                    const float* a, const float* b, float* norms);

}  // namespace frugal
