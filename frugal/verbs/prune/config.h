// frugal prune: a model with fewer heads and neurons, by forward passes alone.
#pragma once
#include <algorithm>

#include "frugal/data/answer_metrics.h"
#include "frugal/prune/common/prune_config.h"
#include "frugal/prune/common/refit_config.h"
#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

// Tokens of a window of the text that is measured, in a model with such a context (0: not known).
inline std::int64_t measured_length(std::int64_t context) {
  constexpr std::int64_t kUsual = 512;
  return context > 0 ? std::min(kUsual, context) : kUsual;
}
inline constexpr std::size_t kExamplesOfWindow = 4;  // masks are judged on so many examples for each of --windows

struct PruneVerbConfig {
  std::string model, data, eval, method = "bonsai", budget = "default", dtype = "bf16", out;
  PruneConfig prune;
  RefitConfig refit;
  PromptConfig task;        // of labelled examples
  SequenceConfig sequence;  // of other examples; shares template, columns and max_length with task
  AnswerConfig answers;     // of a --utility that needs them written
  std::int64_t eval_windows = 64, checkpoint_every = 1, eval_every = 1;
  ComputeConfig compute;

  SequenceConfig sequences() const { return with_prompt_options(sequence, task); }
  // Examples instead of text: label words, or a file of records.
  bool has_examples() const {
    if (!task.labels.empty()) return true;
    for (const char* ending : {".jsonl", ".ndjson", ".json", ".csv", ".tsv"}) {
      if (data.ends_with(ending)) return true;
    }
    return false;
  }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "data",
       .help = "like what the model is for: a text file, or examples, .jsonl, .json, .csv or .tsv",
       .group = "data"},
      c.data);
    v({.name = "eval",
       .help = "what is measured, a file as --data; without it the last tenth of --data, which is not pruned on",
       .group = "data"},
      c.eval);
    v({.name = "eval_windows",
       .help = "windows of 512 tokens of it, or of the model's context, from the front; 0: all",
       .group = "data"},
      c.eval_windows);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    AnswerConfig::fields(c.answers, v);
    v({.name = "method", .help = "how units are chosen", .group = "pruning"}, c.method);
    PruneConfig::fields(c.prune, v);
    RefitConfig::fields(c.refit, v);
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

// Masked models are judged by answers that they write.
inline bool writes_answers(const PruneVerbConfig& config, const std::string& utility) {
  return config.task.labels.empty() && needs_answers(utility);
}

void validate_prune_settings(const Json& settings);  // ranges: of the run's settings, and of its method's

}  // namespace frugal
