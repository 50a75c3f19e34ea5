// frugal chat: a conversation, one line of stdin a turn.
#pragma once
#include "frugal/verbs/common/options.h"

namespace frugal {

struct ChatConfig {
  std::string model, system;
  SamplingConfig sampling;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "system", .help = "what the model is told before the conversation", .group = "text"}, c.system);
    SamplingConfig::fields(c.sampling, v);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const ChatConfig& config);

}  // namespace frugal
