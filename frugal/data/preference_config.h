// Settings of direct preference optimisation, by TRL's names (DPOConfig).
#pragma once
#include "frugal/base/config.h"

namespace frugal {

struct PreferenceConfig {
  double beta = 0.1, label_smoothing = 0;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "dpo_beta",
       .help = "of --objective dpo: how strongly answers are held to the model the run begins with, > 0",
       .group = "training"},
      c.beta);
    v({.name = "dpo_label_smoothing",
       .help = "of --objective dpo: share of the pairs taken to be labelled the wrong way round, in [0, 0.5)",
       .group = "training"},
      c.label_smoothing);
  }
};

// Error(Exit::usage) names the option and its value.
inline void validate(const PreferenceConfig& c) {
  require_setting(c.beta > 0, "--dpo-beta", c.beta, "a number > 0", "--dpo-beta 0.1 is usual");
  require_setting(c.label_smoothing >= 0 && c.label_smoothing < 0.5, "--dpo-label-smoothing", c.label_smoothing,
                  "a number in [0, 0.5)", "--dpo-label-smoothing 0 turns it off");
}

}  // namespace frugal
