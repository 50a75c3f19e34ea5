// AdamW and SGD with momentum over parameters: state in fp32, one fused pass a step.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/base/threads.h"
#include "frugal/core/buffer.h"
#include "frugal/train/config/first_order.h"
#include "frugal/train/parametrisation/parametrisation.h"

namespace frugal {

class Optimizer {
 public:
  // Fresh state for the parameters `active`: moments 0, step count 0, masters made from the weights.
  // bf16 weights take updates by chance (stochastic rounding by `seed`, nothing is kept), or through an fp32 master
  // copy.
  Optimizer(Parametrisation& what, const std::vector<std::size_t>& active, Threads& threads,
            const FirstOrderConfig& config, std::uint64_t seed);

  // Counts a step; update() then uses it. A step that is skipped is not begun.
  void begin_step(std::uint64_t step, double lr);
  // One parameter's update from its gradient, taken times `scale`.
  void update(std::size_t parameter, const float* gradient, float scale);
  bool has(std::size_t parameter) const { return places_[parameter].m != 0; }
  float* master(std::size_t parameter) const {  // null: none
    return places_[parameter].master == 0 ? nullptr : at(places_[parameter].master);
  }
  std::span<std::byte> state() const { return {memory_.data(), memory_.size()}; }

 private:
  struct Place {
    std::size_t m = 0, v = 0, master = 0;
  };  // floats; 0: none (a header comes first)
  float* at(std::size_t place) const { return memory_.as<float>() + place; }
  Parametrisation& what_;
  Threads& threads_;
  const FirstOrderConfig config_;
  const std::uint64_t seed_;
  std::vector<Place> places_;
  Buffer memory_;  // 16 floats of header, of them 8 bytes the steps taken; then moments and masters
  std::uint64_t step_ = 0;
  double lr_ = 0;
};

}  // namespace frugal
