// frugal generate: text that goes on from a prompt, streamed to stdout.
#pragma once
#include "frugal/cli/verbs/common.h"

namespace frugal {

struct GenerateConfig {
  std::string model, prompt;
  SamplingConfig sampling;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "prompt", .help = "the text to go on from", .group = "text"}, c.prompt);
    SamplingConfig::fields(c.sampling, v);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const GenerateConfig& config);

}  // namespace frugal
