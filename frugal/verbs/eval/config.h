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
  bool generate = false;
  AnswerConfig answers;
  std::string predictions;
  std::int64_t limit = 0, batch = 16, length = 512;
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
    v({.name = "limit", .help = "at most so many examples, from the front; 0: all", .group = "data"}, c.limit);
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

void validate(const EvalConfig& config);

}  // namespace frugal
