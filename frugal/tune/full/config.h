// Full fine-tuning: AdamW (arXiv:1711.05101) or SGD on all weights.
#pragma once
#include "frugal/train/config/first_order.h"

namespace frugal {

struct FullConfig {
  FirstOrderConfig first_order;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    FirstOrderConfig::fields(c.first_order, v);
  }
};

inline void validate(const FullConfig& c) { validate(c.first_order); }

}  // namespace frugal
