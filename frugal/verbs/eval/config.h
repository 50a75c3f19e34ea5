// frugal eval: accuracy, balanced accuracy, F1 and loss on labelled examples; loss on completions and chats, and the
// answers that the model writes; perplexity on text.
#pragma once
#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/options.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {

struct EvalConfig {
  std::string model, data, text;
  AdapterConfig adapter;
  PromptConfig task;
  SequenceConfig sequence;  // without --labels; shares template, columns and max_length with task
  std::string objective = "ce";
  PreferenceConfig dpo;
  bool generate = false;
  AnswerConfig answers;
  std::string predictions;
  std::int64_t limit = 0, seed = 1, batch = 16, length = 512;
  std::string sample = "seeded";
  Bytes memory;
  ComputeConfig compute;
  OutputConfig output;

  // How sequences are read: with what prompts have, too.
  SequenceConfig sequences() const { return with_prompt_options(sequence, task); }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder, or a run of tune", .group = "arguments"},
      c.model);
    AdapterConfig::fields(c.adapter, v);
    v({.name = "data", .help = "labelled examples, completions or chats: .jsonl, .json, .csv or .tsv", .group = "data"},
      c.data);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    v({.name = "objective",
       .help = "ce: the loss of labels or answers; dpo: the rewards of preferences, which are held against the model "
               "that a run began with; without a run or an adapter, how much likelier it finds the chosen answers",
       .group = "data",
       .choices = {"ce", "dpo"}},
      c.objective);
    PreferenceConfig::fields(c.dpo, v);
    v({.name = "limit", .help = "at most so many examples, see --sample; 0: all", .group = "data"}, c.limit);
    v({.name = "sample",
       .help = "which examples --limit takes: seeded: drawn by --seed, as many of every label as there are; front: the "
               "first ones",
       .group = "data",
       .choices = {"seeded", "front"}},
      c.sample);
    v({.name = "seed", .help = "of the sample, >= 0", .group = "data"}, c.seed);
    v({.name = "text", .help = "a text file; gives its perplexity instead", .group = "data"}, c.text);
    v({.name = "length", .help = "tokens of a window of --text, >= 2", .group = "data"}, c.length);
    v({.name = "generate",
       .help = "without --labels: let the model write each answer (greedily, up to the end of its turn) and score it",
       .group = "generation"},
      c.generate);
    AnswerConfig::fields(c.answers, v);
    v({.name = "predictions",
       .help = "a .jsonl file for prompt, reference, prediction and scores of each example",
       .group = "generation"},
      c.predictions);
    v({.name = "memory",
       .help = "what the whole process may take, like 700MiB; eval stops before it takes more; 0: no limit",
       .group = "budget"},
      c.memory);
    v({.name = "batch", .help = "examples, or windows of --text, evaluated together, >= 1", .group = "budget"},
      c.batch);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

// Which examples of --data: --limit of them; of a run's own examples the share that it split off, settings["share"].
inline RowChoice choice_of(const EvalConfig& config, const Json& settings) {
  RowChoice choice(static_cast<std::size_t>(config.limit));
  choice.is_sample = config.sample == "seeded";
  choice.seed = static_cast<std::uint64_t>(config.seed);
  if (const auto share = settings.find("share"); share != settings.end())
    choice.from = (*share)[0].get<double>(), choice.to = (*share)[1].get<double>();
  return choice;
}

void validate(const EvalConfig& config);

}  // namespace frugal
