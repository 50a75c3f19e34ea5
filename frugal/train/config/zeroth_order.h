// A zeroth-order step: its estimator and its update, and which weights take part (MeZO, arXiv:2305.17333; Sparse MeZO,
// arXiv:2402.15751). The same structs are a method's options, the engine's settings and what a log of steps says.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/core/kernels/kernels.h"
#include "frugal/train/config/low_rank.h"
#include "frugal/train/config/step.h"

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
       .help = "what is minimised: cross-entropy, 1 - accuracy of labels, dpo on preferences, or distill: what a "
               "--teacher says beside the text",
       .group = "method",
       .choices = {"ce", "accuracy", "dpo", "distill"}},
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

// Which weights are perturbed and updated; by default all of them.
struct MaskConfig {
  double sparsity = 0.75;
  std::string mask = "none";
  bool dynamic_mask = true;
  bool mask_vectors = false;

  // The file of --mask file:PATH, see mask_file.h; empty: another mask.
  std::string file() const { return mask.starts_with("file:") ? mask.substr(5) : std::string(); }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "sparsity", .help = "share of each matrix that is not trained, in [0, 1)", .group = "method"},
      c.sparsity);
    v({.name = "mask",
       .help = "which weights are trained: small, large, random, or file:PATH (one bit a weight)",
       .group = "method"},
      c.mask);
    v({.name = "dynamic_mask",
       .help = "compare the weights of each step with the first step's threshold, not the first step's weights",
       .group = "method"},
      c.dynamic_mask);
    v({.name = "mask_vectors",
       .help = "mask norm gains and biases too, which are otherwise trained whole",
       .group = "method"},
      c.mask_vectors);
  }
};

// Error(Exit::usage) names the option and its value.
void validate(const ZerothOrderConfig& c);

kernels::Direction parse_direction(const std::string& name);   // Error(Exit::usage)
kernels::Mask::Rule parse_mask_rule(const std::string& name);  // of MaskConfig::mask, none too; Error(Exit::usage)
const char* name(kernels::Direction direction);

// What a log of steps says of the engine that wrote it: with the base and the records all that replay needs.
struct LoggedEngine {
  ZerothOrderConfig config;
  MaskConfig mask;
  std::uint64_t seed = 1;
};
// The keys of a trajectory's header (train/run/trajectory.h); `trained` is beside them, see describe_trained.
Json trajectory_header(const LoggedEngine& engine);
// Error(Exit::input) when a key is missing; Error(Exit::usage): one names a direction or mask there is not.
LoggedEngine logged_engine(const Json& header);

}  // namespace frugal
