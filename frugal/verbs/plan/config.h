// frugal plan: memory by purpose and seconds a step of every method, from the file's header.
#pragma once
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct PlanConfig {
  std::string model, data;
  PromptConfig task;
  SequenceConfig sequence;  // without --labels; shares template, columns and max_length with task
  std::string objective = "ce";
  std::int64_t train_size = 0;
  std::int64_t batch = 16, length = 128;
  bool all_tokens = false, verbose = false;
  Bytes memory;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "data",
       .help = "training examples as tune takes them: lengths and targets are then theirs, not --length's",
       .group = "data"},
      c.data);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    v({.name = "objective",
       .help = "of tune: dpo takes --data with prompt, chosen and rejected",
       .group = "data",
       .choices = {"ce", "dpo"}},
      c.objective);
    v({.name = "train_size", .help = "at most so many training examples, from the front; 0: all", .group = "data"},
      c.train_size);
    v({.name = "batch", .help = "sequences a step, >= 1", .group = "step"}, c.batch);
    v({.name = "length", .help = "tokens of the longest sequence, >= 2; with --data: its own", .group = "step"},
      c.length);
    v({.name = "all_tokens",
       .help = "the loss is on every token, as bench step has it, not on a label word",
       .group = "step"},
      c.all_tokens);
    v({.name = "verbose", .help = "what the peak is made of, a column for each purpose", .group = "output"}, c.verbose);
    v({.name = "memory", .help = "budget to compare with, like 700MiB; 0: none", .group = "budget"}, c.memory);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const PlanConfig& config);

}  // namespace frugal
