// What is trained, where a method leaves the choice: all weights, or low-rank pairs beside them. No LibTorch.
#pragma once
#include <string>
#include <vector>

#include "frugal/base/config.h"

namespace frugal {

// What a low-rank pair is (LoRA, arXiv:2106.09685).
struct LowRankConfig {
  std::int64_t rank = 8;
  double alpha = 16, dropout = 0;
  std::vector<std::string> targets;
  bool rslora = false, dora = false;
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
    v({.name = "dora", .help = "train the lengths of the rows of W + BA, too (arXiv:2402.09353)", .group = "method"},
      c.dora);
    v({.name = "adapter",
       .help = "a PEFT adapter's folder to go on from; rank, alpha, targets, rslora and dora are then its own",
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

struct TrainedConfig {
  std::string train = "all";
  LowRankConfig low_rank;
  bool is_lora() const { return train == "lora"; }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "train",
       .help =
           "all weights, or low-rank pairs beside them (lora): the weights then stay as they are, quantised ones too",
       .group = "method",
       .choices = {"all", "lora"}},
      c.train);
    LowRankConfig::fields(c.low_rank, v);
  }
};

inline void validate(const TrainedConfig& c) { validate(c.low_rank); }

}  // namespace frugal
