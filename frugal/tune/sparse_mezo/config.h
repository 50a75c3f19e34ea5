// Sparse MeZO: MeZO on part of the weights, by default those of small magnitude (arXiv:2402.15751).
#pragma once
#include <string>

#include "frugal/base/config.h"
#include "frugal/tune/zeroth_order_config.h"

namespace frugal {

struct SparseMezoConfig {
  ZerothOrderConfig mezo{.step = {1e-4}};
  double sparsity = 0.75;
  std::string mask = "small";
  bool dynamic_mask = true;
  bool mask_vectors = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    ZerothOrderConfig::fields(c.mezo, v);
    v({.name = "sparsity", .help = "share of each matrix that is not trained, in [0, 1)", .group = "method"},
      c.sparsity);
    v({.name = "mask",
       .help = "which weights are trained: small, large, random, or file:PATH (one bit a weight)",
       .group = "method"},
      c.mask);
    v({.name = "dynamic_mask",
       .help = "compare the weights of each step with the first step's threshold, not the first step's weights",
       .group = "method"},
      c.dynamic_mask);
    v({.name = "mask_vectors",
       .help = "mask norm gains and biases too, which are otherwise trained whole",
       .group = "method"},
      c.mask_vectors);
  }
};

inline void validate(const SparseMezoConfig& c) {
  validate(c.mezo);
  if (!(c.sparsity >= 0 && c.sparsity < 1)) {
    throw Error(Exit::usage, "--sparsity is " + Json(c.sparsity).dump() + ", expected a number in [0, 1)",
                "--sparsity 0.75 trains a quarter");
  }
  const bool is_file = c.mask.starts_with("file:") && c.mask.size() > 5;
  if (is_file && c.mezo.trained.is_lora()) {
    throw Error(Exit::usage, "--mask is '" + c.mask + "', which masks weights, but --train is lora",
                "--mask small masks the pairs by their magnitude; or --train all");
  }
  if (c.mask != "small" && c.mask != "large" && c.mask != "random" && !is_file) {
    throw Error(Exit::usage, "--mask is '" + c.mask + "', expected one of small, large, random, file:PATH",
                "--mask small is the method's own");
  }
}

}  // namespace frugal
