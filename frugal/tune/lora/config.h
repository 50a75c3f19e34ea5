// LoRA: low-rank pairs beside frozen linears (arXiv:2106.09685), tuned by AdamW.
#pragma once
#include "frugal/train/config/first_order.h"
#include "frugal/train/config/low_rank.h"

namespace frugal {

struct LoraConfig {
  FirstOrderConfig first_order{.step = {1e-3}};
  LowRankConfig low_rank;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    FirstOrderConfig::fields(c.first_order, v);
    LowRankConfig::fields(c.low_rank, v);
  }
};

inline void validate(const LoraConfig& c) {
  validate(c.first_order);
  validate(c.low_rank);
}

}  // namespace frugal
