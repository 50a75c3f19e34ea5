// frugal chat: a conversation, one line of stdin a turn.
#pragma once
#include "frugal/verbs/common/options.h"

namespace frugal {

struct ChatConfig {
  std::string model;
  std::vector<std::string> adapters;  // NAME=PATH, or PATH
  std::string system, history;
  std::int64_t context = 0;
  SamplingConfig sampling;
  Bytes memory;
  ComputeConfig compute;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder, or a run of tune", .group = "arguments"},
      c.model);
    v({.name = "adapter",
       .help = "laid over MODEL: runs of tune, PEFT adapters or trained rows, as PATH or NAME=PATH; the first answers, "
               "and a line \"/adapter NAME\" takes another, \"/adapter\" none",
       .group = "model"},
      c.adapters);
    v({.name = "system", .help = "what the model is told before the conversation", .group = "text"}, c.system);
    v({.name = "history",
       .help = "a .jsonl file of messages: the conversation goes on from it, and is kept in it after every answer",
       .group = "text"},
      c.history);
    SamplingConfig::fields(c.sampling, v);
    v({.name = "context",
       .help = "tokens that a conversation may have; 0: as many as the model's context, less where --memory is",
       .group = "budget"},
      c.context);
    v({.name = "memory", .help = "what the whole process may take, like 700MiB; 0: no limit", .group = "budget"},
      c.memory);
    ComputeConfig::fields(c.compute, v);
    OutputConfig::fields(c.output, v);
  }
};

struct NamedAdapter {
  std::string name, path;
};
// Of --adapter, in order. Error(Exit::usage): two of one name.
std::vector<NamedAdapter> named_adapters(const std::vector<std::string>& adapters);

void validate(const ChatConfig& config);

}  // namespace frugal
