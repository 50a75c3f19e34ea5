// frugal prune: a model with fewer heads and neurons, by forward passes alone.
#pragma once
#include "frugal/prune/common/prune_config.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

inline constexpr std::int64_t kMeasuredLength = 512;  // tokens of a window of the text that is measured

struct PruneVerbConfig {
  std::string model, data, eval, method = "bonsai", budget = "default", dtype = "bf16", out;
  PruneConfig prune;
  std::int64_t eval_windows = 64, checkpoint_every = 1, eval_every = 1;
  ComputeConfig compute;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "data", .help = "a text file like what the model is for", .group = "data"}, c.data);
    v({.name = "eval",
       .help = "a text file whose perplexity is measured; without it the last tenth of --data, which is not pruned on",
       .group = "data"},
      c.eval);
    v({.name = "eval_windows", .help = "windows of 512 tokens of it, from the front; 0: all", .group = "data"},
      c.eval_windows);
    v({.name = "method", .help = "how units are chosen", .group = "pruning"}, c.method);
    PruneConfig::fields(c.prune, v);
    v({.name = "out",
       .help = "the model: a folder, or a file that ends in .gguf; its run is beside it, in OUT.run",
       .group = "output"},
      c.out);
    v({.name = "budget",
       .help =
           "of masked models and text: quick (minutes for a small model), default, or paper (200 masks of 32 windows)",
       .group = "pruning",
       .choices = {"quick", "default", "paper"}},
      c.budget);
    v(dtype_field(), c.dtype);
    v({.name = "checkpoint_every", .help = "steps between snapshots, >= 1", .group = "output"}, c.checkpoint_every);
    v({.name = "eval_every",
       .help = "steps between looks at the perplexity; only where units have gone since",
       .group = "run"},
      c.eval_every);
    ComputeConfig::fields(c.compute, v);
  }
};

void validate(const PruneVerbConfig& config);

}  // namespace frugal
