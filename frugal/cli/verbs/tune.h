// frugal tune: fine-tunes a model on labelled examples, completions, chats or text. The options of the method are its
// own (tune/<method>/config.h).
#pragma once
#include "frugal/cli/verbs/common.h"
#include "frugal/data/answer_metrics.h"
#include "frugal/data/preference_config.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"

namespace frugal {

struct TuneConfig {
  std::string model, data, dev, test;
  PromptConfig task;
  SequenceConfig sequence;  // without --labels; shares template, columns and max_length with task
  std::int64_t train_size = 0, dev_size = 0, test_size = 0;
  std::string method = "sparse-mezo";
  std::int64_t steps = 200, batch = 16, seed = 1;
  bool balance = false;
  std::string dev_metric = "auto";
  PreferenceConfig dpo;
  AnswerConfig answers;
  std::int64_t eval_every = 0;
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
    v({.name = "data", .help = "training examples: .jsonl, .json, .csv, .tsv, or plain .txt", .group = "data"}, c.data);
    v({.name = "dev",
       .help = "held-out examples; the best step on them by --dev-metric is the result; ties go to the lower loss",
       .group = "data"},
      c.dev);
    v({.name = "test", .help = "held-out examples for the figures at the end", .group = "data"}, c.test);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    v({.name = "train_size", .help = "at most so many training examples, from the front; 0: all", .group = "data"},
      c.train_size);
    v({.name = "dev_size", .help = "at most so many of --dev; 0: all", .group = "data"}, c.dev_size);
    v({.name = "test_size", .help = "at most so many of --test; 0: all", .group = "data"}, c.test_size);
    v({.name = "method",
       .help =
           "see frugal list; auto: the first that fits the memory of those that docs/choosing.md found to learn most",
       .group = "training"},
      c.method);
    v({.name = "steps", .help = "updates, >= 1", .group = "training"}, c.steps);
    v({.name = "batch", .help = "examples a step, >= 1", .group = "training"}, c.batch);
    v({.name = "balance", .help = "batches with equal parts of every label", .group = "training"}, c.balance);
    v({.name = "seed", .help = "of order, directions, masks and rounding; any value >= 0", .group = "training"},
      c.seed);
    v({.name = "eval_every",
       .help = "steps between evaluations on --dev; 0: as often as checkpoints",
       .group = "training"},
      c.eval_every);
    v({.name = "dev_metric",
       .help =
           "what says which step is the best on --dev; auto: accuracy of labels, else the loss; exact_match, f1 (of "
           "sequences) and rougeL let the model write the answers",
       .group = "training",
       .choices = {"auto", "loss", "accuracy", "balanced_accuracy", "exact_match", "f1", "rougeL", "rewards/accuracies",
                   "rewards/margins"}},
      c.dev_metric);
    AnswerConfig::fields(c.answers, v);
    PreferenceConfig::fields(c.dpo, v);
    v({.name = "memory",
       .help =
           "what the whole process may take, like 700MiB; the run stops and saves before it takes more; 0: no limit",
       .group = "budget"},
      c.memory);
    ComputeConfig::fields(c.compute, v);
    v({.name = "checkpoint_every", .help = "steps between snapshots of the weights, >= 1", .group = "output"},
      c.checkpoint_every);
    v({.name = "out", .help = "the run's folder; must not be there yet", .group = "output"}, c.out);
    v({.name = "resume", .help = "a run's folder to go on with; needs nothing else", .group = "output"}, c.resume);
    v({.name = "dry_run", .help = "check everything, show data and memory plan, and stop", .group = "output"},
      c.dry_run);
    OutputConfig::fields(c.output, v);
  }
};

// Of --method auto: what decides which methods there are to choose from.
struct AutoConfig {
  std::string objective = "ce";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "objective",
       .help = "what is minimised: cross-entropy, 1 - accuracy of labels, or dpo on preferences",
       .group = "method",
       .choices = {"ce", "accuracy", "dpo"}},
      c.objective);
  }
};

void validate(const TuneConfig& config);  // of a new run

}  // namespace frugal
