// frugal generate: text that goes on from a prompt, streamed to stdout; or from many, several at a time.
#pragma once
#include "frugal/verbs/common/options.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {

struct GenerateConfig {
  std::string model, prompt, chat, system, prompts;
  AdapterConfig adapter;
  std::int64_t samples = 1, batch = 8;
  SamplingConfig sampling;
  Bytes memory;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder, or a run of tune", .group = "arguments"},
      c.model);
    AdapterConfig::fields(c.adapter, v);
    v({.name = "prompt", .help = "the text to go on from", .group = "text"}, c.prompt);
    v({.name = "chat", .help = "a question instead, put to the model through its chat template", .group = "text"},
      c.chat);
    v({.name = "system", .help = "what the model is told before the question of --chat", .group = "text"}, c.system);
    v({.name = "prompts",
       .help = "a file of prompts instead: .txt with one a line, or jsonl, csv, tsv with a column \"prompt\"",
       .group = "text"},
      c.prompts);
    v({.name = "samples", .help = "texts from each prompt, >= 1; the i-th draws with --seed + i", .group = "text"},
      c.samples);
    v({.name = "batch", .help = "texts written at once, >= 1: more are faster and take more memory", .group = "budget"},
      c.batch);
    SamplingConfig::fields(c.sampling, v);
    v({.name = "memory",
       .help = "what the whole process may take, like 2GiB; 0: no limit. Weights as stored are streamed where they do "
               "not fit",
       .group = "budget"},
      c.memory);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const GenerateConfig& config);

}  // namespace frugal
