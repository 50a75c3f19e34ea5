// What a step of every method of tune has: its size over the run, decay, the parts a batch is taken in.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/config.h"
#include "frugal/train/config/learning_rate.h"

namespace frugal {

struct StepConfig {
  StepConfig(double rate = 0) : lr{rate} {}  // NOLINT(google-explicit-constructor): the default of a method

  LearningRate lr;
  std::string schedule = "constant";
  std::int64_t warmup = 0;
  double weight_decay = 0;
  std::int64_t accumulation = 1;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "lr",
       .help = "step size, >= 0; auto: a short seeded race of rates on the training data",
       .group = "method"},
      c.lr);
    v({.name = "schedule",
       .help = "step size over the run: constant, or linear or cosine down to 0",
       .group = "method",
       .choices = {"constant", "linear", "cosine"}},
      c.schedule);
    v({.name = "warmup", .help = "steps over which the step size rises from 0, >= 0", .group = "method"}, c.warmup);
    v({.name = "weight_decay",
       .help = "decoupled decay of matrices, times lr a step, >= 0; vectors have none",
       .group = "method"},
      c.weight_decay);
    v({.name = "accumulation",
       .help = "parts each batch goes through in, >= 1; more parts need less memory",
       .group = "method"},
      c.accumulation);
  }
};

// Error(Exit::usage) names the option and its value.
inline void validate(const StepConfig& c) {
  require_setting(c.weight_decay >= 0, "--weight-decay", c.weight_decay, "a number >= 0",
                  "--weight-decay 0 turns it off");
  require_setting(c.warmup >= 0, "--warmup", c.warmup, "a number of steps >= 0", "--warmup 0 turns it off");
  require_setting(c.accumulation >= 1, "--accumulation", c.accumulation, "at least 1",
                  "--accumulation 1 takes a batch at once");
}

}  // namespace frugal
