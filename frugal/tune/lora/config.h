// LoRA: low-rank pairs beside frozen linears (arXiv:2106.09685), tuned by AdamW.
#pragma once
#include <string>
#include <vector>

#include "frugal/tune/first_order_config.h"

namespace frugal {

// What a low-rank pair is; methods other than lora take it, too.
struct LowRankConfig {
  std::int64_t rank = 8;
  double alpha = 16, dropout = 0;
  std::vector<std::string> targets;
  bool rslora = false;
  std::string adapter;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "rank", .help = "of each low-rank pair, >= 1", .group = "method"}, c.rank);
    v({.name = "alpha", .help = "a pair's product is taken times alpha / rank, > 0", .group = "method"}, c.alpha);
    v({.name = "dropout", .help = "of a pair's input while training, in [0, 1)", .group = "method"}, c.dropout);
    v({.name = "targets",
       .help = "linears with a pair, by the end of their names: q_proj,v_proj; none: all of every layer",
       .group = "method"},
      c.targets);
    v({.name = "rslora", .help = "alpha / sqrt(rank) instead (arXiv:2312.03732)", .group = "method"}, c.rslora);
    v({.name = "adapter",
       .help = "a PEFT adapter's folder to go on from; rank, alpha and targets are then its own",
       .group = "method"},
      c.adapter);
  }
};

inline void validate(const LowRankConfig& c) {
  require_setting(c.rank >= 1, "--rank", c.rank, "at least 1", "--rank 8 suits most tasks");
  require_setting(c.alpha > 0, "--alpha", c.alpha, "a number > 0", "--alpha 16 is usual");
  require_setting(c.dropout >= 0 && c.dropout < 1, "--dropout", c.dropout, "a number in [0, 1)",
                  "--dropout 0 turns it off");
}

struct LoraConfig {
  FirstOrderConfig first_order{.lr = {3e-4}};
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
