// What every two-sided zeroth-order method of tune has (MeZO, arXiv:2305.17333).
#pragma once
#include <cstdint>
#include <string>

#include "frugal/tune/low_rank_config.h"
#include "frugal/tune/step_config.h"

namespace frugal {

struct ZerothOrderConfig {
  StepConfig step{3e-5};
  double eps = 0x1p-10;
  std::string direction = "gaussian";
  std::int64_t samples = 1;
  std::string objective = "ce";
  bool evaluated_direction = true;
  std::string rounding = "stochastic";
  TrainedConfig trained;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    StepConfig::fields(c.step, v);
    v({.name = "eps", .help = "half-step of the finite difference, > 0", .group = "method"}, c.eps);
    v({.name = "direction",
       .help = "random directions: Gaussian of 8 or 16 bits from tables, signs, or Box-Muller",
       .group = "method",
       .choices = {"gaussian", "sign", "gaussian16", "gaussian-exact"}},
      c.direction);
    v({.name = "samples",
       .help = "directions averaged a step (n-SPSA), >= 1; each costs two forward passes",
       .group = "method"},
      c.samples);
    v({.name = "objective",
       .help = "what is minimised: cross-entropy, 1 - accuracy of labels, or dpo on preferences",
       .group = "method",
       .choices = {"ce", "accuracy", "dpo"}},
      c.objective);
    v({.name = "evaluated_direction",
       .help = "update along the perturbation as the rounded weights had it",
       .group = "method"},
      c.evaluated_direction);
    v({.name = "rounding", .help = "of updated bf16 weights", .group = "method", .choices = {"stochastic", "nearest"}},
      c.rounding);
    TrainedConfig::fields(c.trained, v);
  }
};

// Error(Exit::usage) names the option and its value.
inline void validate(const ZerothOrderConfig& c) {
  validate(c.step);
  require_setting(c.eps > 0 && c.eps <= 1, "--eps", c.eps, "a number in (0, 1]", "--eps 0.001 suits most models");
  require_setting(c.samples >= 1 && c.samples <= 1024, "--samples", c.samples, "1 to 1024",
                  "--samples 1 is the most efficient");
  validate(c.trained);
  require_setting(c.trained.low_rank.dropout == 0, "--dropout", c.trained.low_rank.dropout,
                  "0: both losses of a difference are of the same model", "leave --dropout out");
}

}  // namespace frugal
