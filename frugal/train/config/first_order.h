// What every first-order method of tune has: a step, an optimiser, activations.
#pragma once
#include <string>

#include "frugal/train/config/step.h"

namespace frugal {

struct FirstOrderConfig {
  StepConfig step{1e-5};
  std::string objective = "ce";
  std::string optimizer = "adamw";
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8, momentum = 0.9;
  std::string update = "stochastic";
  double max_grad_norm = 0;
  std::string activations = "auto";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    StepConfig::fields(c.step, v);
    v({.name = "objective",
       .help =
           "what is minimised: cross-entropy, dpo on preferences, or distill: what a --teacher says beside the text",
       .group = "method",
       .choices = {"ce", "dpo", "distill"}},
      c.objective);
    v({.name = "optimizer",
       .help = "AdamW (8 bytes of state a number) or SGD with momentum (4)",
       .group = "method",
       .choices = {"adamw", "sgd"}},
      c.optimizer);
    v({.name = "adam_beta1", .help = "decay of AdamW's first moment, in [0, 1)", .group = "method"}, c.adam_beta1);
    v({.name = "adam_beta2", .help = "decay of AdamW's second moment, in [0, 1)", .group = "method"}, c.adam_beta2);
    v({.name = "adam_epsilon", .help = "added to the root of AdamW's second moment, > 0", .group = "method"},
      c.adam_epsilon);
    v({.name = "momentum", .help = "of SGD, in [0, 1)", .group = "method"}, c.momentum);
    v({.name = "update",
       .help = "how bf16 weights take small updates: rounded by chance, or through an fp32 master copy (4 bytes a "
               "number more)",
       .group = "method",
       .choices = {"stochastic", "master"}},
      c.update);
    v({.name = "max_grad_norm", .help = "gradients are scaled down to this global norm; 0: never", .group = "method"},
      c.max_grad_norm);
    v({.name = "activations",
       .help = "keep what the forward made for the backward, or make it again (checkpoint); auto: keep what --memory "
               "allows",
       .group = "method",
       .choices = {"auto", "checkpoint", "keep"}},
      c.activations);
  }
};

// Error(Exit::usage) names the option and its value.
inline void validate(const FirstOrderConfig& c) {
  validate(c.step);
  const auto is_share = [](double x) { return x >= 0 && x < 1; };
  require_setting(is_share(c.adam_beta1), "--adam-beta1", c.adam_beta1, "a number in [0, 1)",
                  "--adam-beta1 0.9 is usual");
  require_setting(is_share(c.adam_beta2), "--adam-beta2", c.adam_beta2, "a number in [0, 1)",
                  "--adam-beta2 0.999 is usual");
  require_setting(c.adam_epsilon > 0, "--adam-epsilon", c.adam_epsilon, "a number > 0", "--adam-epsilon 1e-8 is usual");
  require_setting(is_share(c.momentum), "--momentum", c.momentum, "a number in [0, 1)", "--momentum 0.9 is usual");
  require_setting(c.max_grad_norm >= 0, "--max-grad-norm", c.max_grad_norm, "a number >= 0",
                  "--max-grad-norm 0 turns it off");
}

}  // namespace frugal
