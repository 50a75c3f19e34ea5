// Low-rank pairs beside frozen linears (LoRA, arXiv:2106.09685; with magnitudes DoRA, arXiv:2402.09353), in fp32 on any
// base, quantised ones too.
#pragma once
#include <string>
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/nn/blocks/pairs_view.h"
#include "frugal/train/config/low_rank.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class LowRankPairs : public Parametrisation {
 public:
  // Goes on from an adapter: its pairs, magnitudes, ranks and scales. Error(Exit::input): it has a pair beside the
  // head.
  LowRankPairs(const WeightStore& store, LoraAdapter start, double dropout, std::uint64_t seed);
  // a from U(-1/sqrt(in), 1/sqrt(in)) and b 0, as PEFT begins: the model is unchanged at first.
  // Error(Exit::usage): a target that matches no linear, a rank below 1 or above a linear's smaller side (both named).
  LowRankPairs(const WeightStore& store, const LowRankConfig& config, std::uint64_t seed = 1);
  const WeightView& view() const override { return view_; }
  const WeightView& training_view(std::uint64_t step) override;
  std::byte* values(std::size_t parameter) override;
  std::vector<NamedBytes> state() override;
  void restart() override;
  bool has_pairs() const override { return true; }
  std::optional<LoraAdapter> adapter() const override;
  void merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const override;

 private:
  // scale and alpha of a pair, and where its numbers lie.
  void add(std::size_t id, std::int64_t rank, double scale, double alpha);
  void place();
  const LowRankFactor* start_of(std::size_t id) const;  // null: begins at random
  // |W[i] + scale b[i] a| for rows [begin, end), and those rows of the sum in `w` [end - begin, cols].
  void merged_lengths(std::size_t id, std::int64_t begin, std::int64_t end, float* w, float* lengths) const;
  const WeightStore& store_;
  const LowRankConfig config_;  // of an adapter that they go on from, what holds for all of its pairs
  const std::uint64_t seed_;
  LoraAdapter start_;           // empty: pairs begin at random
  std::vector<double> alphas_;  // by tensor
  std::vector<LowRankPair> pairs_;
  std::vector<std::size_t> places_;                // floats, by parameter
  std::vector<std::vector<float>> first_lengths_;  // by tensor: where fresh magnitudes begin
  Buffer memory_;
  PairsView view_, training_view_;
};

}  // namespace frugal
