// fp32 sums of the gradients of the parameters that are active, and of nothing else.
#pragma once
#include <functional>
#include <vector>

#include "frugal/core/buffer.h"
#include "frugal/nn/model/gradients.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class GradientBuffers : public Gradients {
 public:
  // active: indices of `parameters` (which outlives this), rising. by_layer: the layers take turns in the memory of the
  // largest one, so each must be used up in on_layer, after which it is zeroed; one backward a step then, no
  // accumulation.
  GradientBuffers(const std::vector<Parameter>& parameters, std::vector<std::size_t> active, std::size_t tensors,
                  std::int64_t layers, bool by_layer);

  void zero();
  const std::vector<std::size_t>& active() const { return active_; }
  float* sum(std::size_t parameter) const { return memory_.as<float>() + places_[parameter]; }
  bool takes_turns(std::size_t parameter) const;  // its sum is gone after on_layer
  std::function<void(std::size_t layer)> on_layer;

  std::int64_t lowest_layer() const override { return lowest_; }
  GradientSum of(std::size_t id) override { return sums_[id]; }
  PairSum of_low_rank(std::size_t id) override { return pairs_[id]; }
  void layer_done(std::size_t layer) override;

 private:
  const std::vector<Parameter>& parameters_;
  std::vector<std::size_t> active_;
  std::int64_t layers_, lowest_;
  bool by_layer_;
  std::vector<std::size_t> places_;  // in floats, by parameter
  std::size_t turns_ = 0;            // floats at the front that the layers share
  std::vector<GradientSum> sums_;
  std::vector<PairSum> pairs_;
  Buffer memory_;
};

}  // namespace frugal
