// Options of frugal prune --method depth: none of its own.
#pragma once
#include "frugal/base/config.h"

namespace frugal {

struct DepthConfig {
  template <class Self, class Visitor>
  static void fields(Self&, Visitor&&) {}
};

inline void validate(const DepthConfig&) {}

}  // namespace frugal
