// Zeroth-order steps over whatever is trained, weights or low-rank pairs (MeZO, arXiv:2305.17333, Algorithm 1; Sparse
// MeZO, arXiv:2402.15751). A step is a pure function of (seed, step, weights, losses); its record is enough to repeat
// the update.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/nn/model/weight_view.h"
#include "frugal/train/config/zeroth_order.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class ZerothOrderEngine {
 public:
  // what: all weights, or low-rank pairs, at the start of the run; thresholds and constant masks come from them. A
  // pair's factor that begins as zeros has no small part and is never masked by magnitude. Both outlive the engine.
  // Error(Exit::input): numbers that are not finite.
  ZerothOrderEngine(Parametrisation& what, Threads& threads, const ZerothOrderConfig& config, std::uint64_t seed = 1,
                    const MaskConfig& mask = {});

  const LoggedEngine& settings() const { return settings_; }
  const std::vector<float>& thresholds() const {
    return thresholds_;
  }  // by stream id (stream_ids.h), that of a weight its tensor's; 0 where no magnitude mask applies

  // Mean loss of each branch of the view; called once a sample.
  struct BranchLosses {
    double plus = 0, minus = 0;
  };
  using Loss = std::function<BranchLosses(const WeightView&)>;
  struct Estimate {
    std::vector<float> projected_gradients;  // one a sample, (L+ - L-) / (2 eps)
    double loss = 0;                         // mean of all branches
    bool finite = true;                      // when false the step is to be skipped
  };
  Estimate estimate(std::uint64_t step, const Loss& loss);

  // w <- w (1 - lr wd) - lr / n sum_j g_j d_j for every trained number; non-finite g must not come here.
  void update(std::uint64_t step, float lr, std::span<const float> projected_gradients);

 private:
  kernels::Noise noise(std::uint64_t step, int sample) const;
  void set_masks(std::uint64_t step);

  Parametrisation& what_;
  const std::size_t tensors_;
  Threads& threads_;
  const LoggedEngine settings_;
  const kernels::Direction direction_;  // what kernels take of the settings
  const kernels::Mask::Rule rule_;
  const float eps_;
  std::vector<float> thresholds_;  // these three by stream id
  std::vector<kernels::Mask> masks_;
  std::vector<std::vector<std::uint8_t>> bits_;  // constant masks, one bit a number
};

}  // namespace frugal
