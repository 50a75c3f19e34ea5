// frugal convert: a model in another format or type, tokenizer and chat template included.
#pragma once
#include "frugal/cli/verbs/common.h"

namespace frugal {

struct ConvertConfig {
  std::string model, out, dtype = "bf16";
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "model", .help = "a GGUF file or a Hugging Face folder", .group = "arguments"}, c.model);
    v({.name = "out",
       .help = "a folder for Hugging Face's format, or a file that ends in .gguf; must not be there yet",
       .group = "output"},
      c.out);
    v({.name = "dtype",
       .help = "of the matrices; q8_0 for GGUF alone",
       .group = "output",
       .choices = {"bf16", "f16", "f32", "q8_0"}},
      c.dtype);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const ConvertConfig& config);

}  // namespace frugal
