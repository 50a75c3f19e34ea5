// First values of parameters, each a function of (seed, the parameter's number): the same network whatever else was
// made before it.
#pragma once
#include "frugal/core/random.h"
#include "frugal/nn/modules/torch_nn.h"

namespace frugal {

class Initialiser {
 public:
  explicit Initialiser(std::uint64_t seed) : seed_(seed) {}

  // He et al., arXiv:1502.01852: standard deviation sqrt(2 / fan_in), truncated at two of the distribution that is cut,
  // as Keras has it. fan_in: all of `weight` but its first dimension.
  void he_normal(torch::Tensor weight);
  // Glorot and Bengio, 2010: uniform in +-sqrt(6 / (fan_in + fan_out)).
  void glorot_uniform(torch::Tensor weight);
  // Saxe et al., arXiv:1312.6120: [rows, cols] with orthonormal columns, or rows where there are fewer of them.
  void orthogonal(torch::Tensor weight);
  // he_normal for a module's weight, zeros for its bias.
  template <class Module>
  void he_normal_and_zeros(const Module& module) {
    he_normal(module->weight);
    zeros(module->bias);
  }
  static void zeros(torch::Tensor bias);

 private:
  Draw next() { return {.seed = seed_, .stream = named_stream("modules.initial"), .id = drawn_++}; }
  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
};

}  // namespace frugal
