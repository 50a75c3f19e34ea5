// frugal convert: a model in another format or type, tokenizer and chat template included.
#pragma once
#include "frugal/verbs/common/options.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {

struct ConvertConfig {
  std::string model;
  AdapterConfig adapter;
  ExportConfig target;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder, or a run of tune", .group = "arguments"},
      c.model);
    AdapterConfig::fields(c.adapter, v);
    ExportConfig::fields(c.target, v);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const ConvertConfig& config);

}  // namespace frugal
