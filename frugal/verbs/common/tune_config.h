// frugal tune: fine-tunes a model on labelled examples, completions, chats or text. The options of the method are its
// own (tune/<method>/config.h).
#pragma once
#include "frugal/base/system.h"
#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct TuneConfig : DataConfig {
  std::string model;
  std::string method = "auto";
  std::int64_t steps = 200, batch = 16, seed = 1;
  std::int64_t eval_every = 0, patience = 0;
  double epochs = 0;
  Bytes memory;
  ComputeConfig compute;
  std::int64_t checkpoint_every = 50;
  std::string out, resume;
  bool dry_run = false;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder; never written to", .group = "arguments"},
      c.model);
    DataConfig::fields(c, v);
    v({.name = "method",
       .help =
           "see frugal list; auto: the first that fits the memory of those that docs/choosing.md found to learn most",
       .group = "training"},
      c.method);
    v({.name = "steps", .help = "updates, >= 1", .group = "training"}, c.steps);
    v({.name = "batch", .help = "examples a step, >= 1", .group = "training"}, c.batch);
    v({.name = "seed", .help = "of order, directions, masks and rounding; any value >= 0", .group = "training"},
      c.seed);
    v({.name = "eval_every",
       .help = "steps between evaluations on --dev; 0: as often as checkpoints",
       .group = "training"},
      c.eval_every);
    v({.name = "memory",
       .help =
           "what the whole process may take, like 700MiB; the run stops and saves before it takes more; 0: no limit",
       .group = "budget"},
      c.memory);
    ComputeConfig::fields(c.compute, v);
    v({.name = "epochs",
       .help = "instead of --steps: as many steps as take every training example so often; 0: --steps",
       .group = "training"},
      c.epochs);
    v({.name = "patience",
       .help = "with --dev: end after so many evaluations that were no better than an earlier one; 0: after --steps",
       .group = "training"},
      c.patience);
    v({.name = "checkpoint_every", .help = "steps between snapshots of the weights, >= 1", .group = "output"},
      c.checkpoint_every);
    v({.name = "out", .help = "the run's folder; must not be there yet", .group = "output"}, c.out);
    v({.name = "resume", .help = "a run's folder to go on with; needs nothing else", .group = "output"}, c.resume);
    v({.name = "dry_run", .help = "check everything, show data and memory plan, and stop", .group = "output"},
      c.dry_run);
    OutputConfig::fields(c.output, v);
  }
};

void validate_tune_settings(const Json& settings);  // ranges: of the run's settings, and of its method's
// Refuses what cannot be honoured, shows what is trained and what it takes; a budget that does not hold it, too, but
// for a dry run with --json, whose rows say what fits.
Checked check_tune(const Settings& given);
std::vector<Plugin> tuning_methods();  // those of frugal tune and auto

}  // namespace frugal
