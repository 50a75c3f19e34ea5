// Sparse MeZO: MeZO on part of the weights, by default those of small magnitude (arXiv:2402.15751).
#pragma once
#include <string>

#include "frugal/base/config.h"
#include "frugal/train/config/zeroth_order.h"

namespace frugal {

struct SparseMezoConfig {
  ZerothOrderConfig mezo{.step = {1e-4}};
  MaskConfig mask{.mask = "small"};

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    ZerothOrderConfig::fields(c.mezo, v);
    MaskConfig::fields(c.mask, v);
  }
};

inline void validate(const SparseMezoConfig& c) {
  validate(c.mezo);
  const MaskConfig& m = c.mask;
  if (!(m.sparsity >= 0 && m.sparsity < 1)) {
    throw Error(Exit::usage, "--sparsity is " + Json(m.sparsity).dump() + ", expected a number in [0, 1)",
                "--sparsity 0.75 trains a quarter");
  }
  const bool is_file = !m.file().empty();
  if (is_file && c.mezo.trained.is_lora()) {
    throw Error(Exit::usage, "--mask is '" + m.mask + "', which masks weights, but --train is lora",
                "--mask small masks the pairs by their magnitude; or --train all");
  }
  if (m.mask != "small" && m.mask != "large" && m.mask != "random" && !is_file) {
    throw Error(Exit::usage, "--mask is '" + m.mask + "', expected one of small, large, random, file:PATH",
                "--mask small is the method's own");
  }
}

}  // namespace frugal
