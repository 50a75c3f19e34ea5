// frugal bench step: seconds and memory of one step, on random tokens or on the first examples of a file.
// frugal bench machine: rates of products and memory.
#pragma once
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct BenchConfig {
  std::string model, method = "mezo";
  std::int64_t batch = 8, length = 128, repeats = 10;
  std::string data;
  PromptConfig task;
  SequenceConfig sequence;  // without --labels; shares template, columns and max_length with task
  Bytes memory;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "method",
       .help = "forward (one plain forward pass and loss), or a method of frugal list",
       .group = "step"},
      c.method);
    v({.name = "batch", .help = "sequences a step, >= 1", .group = "step"}, c.batch);
    v({.name = "length", .help = "tokens a sequence, >= 2; with --data: its own", .group = "step"}, c.length);
    v({.name = "repeats", .help = "timed steps after one that is not counted, >= 1", .group = "step"}, c.repeats);
    v({.name = "data",
       .help = "examples as tune takes them; the step is on the first --batch of them, instead of random tokens",
       .group = "data"},
      c.data);
    PromptConfig::fields(c.task, v);
    SequenceConfig::own_fields(c.sequence, v);
    v({.name = "memory",
       .help = "what the whole process may take, like 2GiB, as tune takes it; 0: no limit",
       .group = "budget"},
      c.memory);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

struct MachineConfig {
  std::string model;
  std::int64_t length = 128, threads = 0;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder, whose sizes are timed", .group = "arguments"},
      c.model);
    v({.name = "length", .help = "rows of the products, 2 to 512", .group = "machine"}, c.length);
    v({.name = "threads", .help = "threads that compute; 0: one a core", .group = "budget"}, c.threads);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const BenchConfig& config);
void validate(const MachineConfig& config);

}  // namespace frugal
