// Options of Bonsai (arXiv:2402.05406).
#pragma once
#include <cstdint>
#include <string>

#include "frugal/prune/common/scope_config.h"

namespace frugal {

struct BonsaiConfig {
  double step = 0.05;
  std::int64_t masks = 0;
  bool has_metric() const { return utility != "nll" && utility != "ppl"; }
  std::string prior = "wanda", regression = "anchored", utility = "nll";
  ScopeConfig scope;
  double attention_ratio = 1, race_tolerance = 0;
  std::string design = "full";
  bool reference_compat = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "step", .help = "share of the parameters that an iteration removes, in (0, 1)", .group = "bonsai"},
      c.step);
    v({.name = "masks",
       .help = "masked models that an iteration evaluates, even, at least 4; 0: as --budget says",
       .group = "bonsai"},
      c.masks);
    v({.name = "prior",
       .help = "which units are candidates",
       .group = "bonsai",
       .choices = {"wanda", "activation", "fluctuation", "random"}},
      c.prior);
    v({.name = "regression",
       .help =
           "how utilities become importance; anchored: a ridge around what the prior says; ridge and lasso: around 0; "
           "none: the prior alone decides",
       .group = "bonsai",
       .choices = {"anchored", "ridge", "lasso", "none"}},
      c.regression);
    v({.name = "utility",
       .help = "of a masked model: minus its loss, or minus its perplexity as the paper has it; with examples also a "
               "metric, on four of them for each of --windows: accuracy and balanced_accuracy of --labels, "
               "exact_match and rougeL of answers that it writes, f1 of both",
       .group = "bonsai",
       .choices = {"nll", "ppl", "accuracy", "balanced_accuracy", "f1", "exact_match", "rougeL"}},
      c.utility);
    ScopeConfig::fields(c.scope, v);
    v({.name = "attention_ratio",
       .help = "share of heads that are candidates, as a multiple of that of neurons, >= 0; 0 keeps all heads",
       .group = "bonsai"},
      c.attention_ratio);
    v({.name = "design",
       .help =
           "what a pair of masks touches; full: every layer; block: a sixth of them in a row, so that it runs from the "
           "first of these on",
       .group = "bonsai",
       .choices = {"full", "block"}},
      c.design);
    v({.name = "race_tolerance",
       .help =
           "a pair of masks sees no more windows, after four, when its difference is known to this share of what pairs "
           "differ by, >= 0; 0: all windows",
       .group = "bonsai"},
      c.race_tolerance);
    v({.name = "reference_compat",
       .help =
           "candidates are a share of what is left while the budget is one of the original, as in the authors' code",
       .group = "bonsai"},
      c.reference_compat);
  }
};

inline void validate(const BonsaiConfig& c) {
  require_setting(c.step > 0 && c.step < 1, "--step", c.step, "a number in (0, 1)", "--step 0.05 is the paper's");
  require_setting(c.masks == 0 || (c.masks >= 4 && c.masks % 2 == 0 && c.masks <= 100000), "--masks", c.masks,
                  "0 or an even number from 4 to 100000", "--masks 200 is the paper's");
  require_setting(c.attention_ratio >= 0 && c.attention_ratio <= 100, "--attention-ratio", c.attention_ratio,
                  "0 to 100", "--attention-ratio 1 is usual");
  require_setting(c.race_tolerance >= 0 && c.race_tolerance <= 10, "--race-tolerance", c.race_tolerance, "0 to 10",
                  "--race-tolerance 0.3 is usual");
}

}  // namespace frugal
