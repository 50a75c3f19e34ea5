// The examples a model is tuned on and judged by, and how they are read.
#pragma once
#include "frugal/data/answer_metrics.h"
#include "frugal/data/distill_config.h"
#include "frugal/data/preference_config.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"

namespace frugal {

// Sequences and prompts share some options, which are parsed once, as the prompts'.
inline SequenceConfig with_prompt_options(SequenceConfig sequences, const PromptConfig& prompts) {
  sequences.prompt_template = prompts.prompt_template;
  sequences.columns = prompts.columns;
  sequences.max_length = prompts.max_length;
  return sequences;
}

struct DataConfig {
  std::string data, dev, test;
  PromptConfig task;
  SequenceConfig sequence;  // without labels; template, columns and max_length are those of `task`
  std::int64_t train_size = 0, dev_size = 0, test_size = 0;
  std::string sample = "auto";
  bool balance = false;
  std::string dev_metric = "auto";
  std::int64_t show = 0;
  AnswerConfig answers;
  bool writes_answers() const { return needs_answers(dev_metric) || show > 0; }
  PreferenceConfig dpo;
  DistillConfig distill;

  // How sequences are read: with what prompts have, too.
  SequenceConfig sequences() const { return with_prompt_options(sequence, task); }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "data", .help = "training examples: .jsonl, .json, .csv, .tsv, or plain .txt", .group = "data"}, c.data);
    v({.name = "dev",
       .help = "held-out examples, or a share of --data that is split off, like 10%; the best step on them by "
               "--dev-metric is the result; ties go to the lower loss",
       .group = "data"},
      c.dev);
    v({.name = "test", .help = "held-out examples for the figures at the end, or a share of --data", .group = "data"},
      c.test);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    v({.name = "train_size", .help = "at most so many training examples, see --sample; 0: all", .group = "data"},
      c.train_size);
    v({.name = "dev_size", .help = "at most so many of --dev; 0: all", .group = "data"}, c.dev_size);
    v({.name = "test_size", .help = "at most so many of --test; 0: all", .group = "data"}, c.test_size);
    v({.name = "sample",
       .help = "which examples a size takes: seeded: drawn by --seed, as many of every label as there are; front: the "
               "first ones; auto: seeded",
       .group = "data",
       .choices = {"auto", "seeded", "front"}},
      c.sample);
    v({.name = "balance", .help = "batches with equal parts of every label", .group = "training"}, c.balance);
    v({.name = "dev_metric",
       .help =
           "what says which step is the best on --dev; auto: accuracy of labels, else the loss; exact_match, f1 (of "
           "sequences) and rougeL let the model write the answers",
       .group = "training",
       .choices = {"auto", "loss", "accuracy", "balanced_accuracy", "exact_match", "f1", "rougeL", "rewards/accuracies",
                   "rewards/margins"}},
      c.dev_metric);
    v({.name = "show",
       .help = "with --dev: what the model writes to so many of its prompts, in the report, at each evaluation; 0: "
               "nothing",
       .group = "generation"},
      c.show);
    AnswerConfig::fields(c.answers, v);
    PreferenceConfig::fields(c.dpo, v);
    DistillConfig::fields(c.distill, v);
  }
};

// What is minimised, as far as it says how the data is read: every method has it, with the values it can minimise.
struct ObjectiveConfig {
  std::string objective = "ce";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "objective",
       .help = "what is minimised: cross-entropy, 1 - accuracy of labels, dpo on preferences, or distill: what a "
               "--teacher says beside the text",
       .group = "method",
       .choices = {"ce", "accuracy", "dpo", "distill"}},
      c.objective);
  }
};

}  // namespace frugal
