// What units do on text: sums over tokens of what the projections behind them read.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "frugal/prune/torch/prune_model.h"

namespace frugal {

struct ColumnSums {  // of each column, over tokens
  std::vector<double> sum, squares, absolute;
};

class UnitStatistics : public UnitObserver {
 public:
  explicit UnitStatistics(const ModelShape& shape);
  void hidden(std::size_t layer, std::int64_t begin, std::int64_t count, const float* h) override;
  void attended(std::size_t layer, std::int64_t begin, std::int64_t count, const float* x,
                std::int64_t stride) override;
  void attended(std::size_t layer, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                std::int64_t stride) override;
  void activated(std::size_t layer, std::int64_t begin, std::int64_t count, const float* x,
                 std::int64_t stride) override;
  void activated(std::size_t layer, std::int64_t begin, std::int64_t count, const kernels::Bf16* x,
                 std::int64_t stride) override;
  // The parts of one forward are added in the order of their rows, whichever thread was first.
  void end_forward(std::int64_t tokens);

  std::vector<ColumnSums> heads, neurons;  // of each layer: [heads D], [F]
  std::vector<double> powers;              // of each layer: sum over tokens of the mean square of its input
  std::int64_t tokens = 0;

 private:
  enum class Of { hidden, heads, neurons };
  struct Part {
    std::size_t layer;
    Of of;
    std::int64_t begin;
    std::vector<float> sums;  // [3, columns]; of hidden states one power
  };
  template <class T>
  void add(std::size_t layer, Of of, std::int64_t begin, std::int64_t count, const T* x, std::int64_t stride);
  std::mutex mutex_;
  std::vector<Part> parts_;
  std::int64_t hidden_;
};

// One score a unit, in the order of units_of(model.shape()): of a neuron j, of a head the mean over the columns of its
// query heads.
//
// wanda: mean_r |W[r, j]| rms(h_j) (arXiv:2306.11695, per unit as in arXiv:2402.05406), over the rms of the layer's
// input.
//
// activation: mean |h_j|.
//
// fluctuation: variance of h_j times |W[:, j]|^2 (FLAP, arXiv:2312.11983), over the mean square of the layer's input.
//
// W is the projection that reads them: o or down. What a unit adds counts beside what it is added to, so that layers
// compare: hidden states grow from layer to layer.
// is_standardised: the columns of each projection are brought to mean 0 and deviation 1 first (FLAP, section 3.2).
enum class Prior { wanda, activation, fluctuation };
std::vector<double> unit_scores(PruneModel& model, const Windows& windows, Prior prior, bool is_standardised = false);

}  // namespace frugal
