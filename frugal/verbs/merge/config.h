// frugal merge: a run replayed onto its base, written as a model that other tools load.
#pragma once
#include "frugal/data/prompt_task.h"
#include "frugal/verbs/common/options.h"

namespace frugal {

struct MergeConfig {
  std::string model, run, data;
  PromptConfig task;  // what is not given is the run's, where its folder records it
  ExportConfig target;
  bool adapter = false;
  std::string base_name;
  std::int64_t step = -1;
  std::int64_t threads = 0;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "the base the run began with", .group = "arguments"}, c.model);
    v({.name = "run",
       .help = "the run's folder; or alone a zeroth-order run's trajectory file, a PEFT adapter's folder, or a file "
               "of trained rows (.safetensors)",
       .group = "arguments"},
      c.run);
    ExportConfig::fields(c.target, v);
    v({.name = "adapter",
       .help = "write what was trained alone: low-rank pairs as a PEFT folder or a .gguf file for llama.cpp's --lora, "
               "rows as a "
               ".safetensors file",
       .group = "output"},
      c.adapter);
    v({.name = "base_name",
       .help = "with --adapter: the name or path of the base that a PEFT folder records, for AutoPeftModel; default: "
               "MODEL where it is a Hugging Face folder, else the folder beside --out that frugal convert can write",
       .group = "output"},
      c.base_name);
    v({.name = "step",
       .help = "the weights after this step; -1: the best checkpoint, or the last where there was no validation",
       .group = "output"},
      c.step);
    v({.name = "data",
       .help =
           "examples for the accuracy of the written model; default: the run's --test or --dev. They are read as the "
           "run's were, but for the options below; a trajectory file alone needs --template and --labels",
       .group = "data"},
      c.data);
    PromptConfig::fields(c.task, v);
    v({.name = "threads", .help = "threads that compute; 0: one a core", .group = "budget"}, c.threads);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const MergeConfig& config);

}  // namespace frugal
