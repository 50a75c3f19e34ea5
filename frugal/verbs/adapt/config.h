// frugal adapt: a small model learns from the larger one it was made of.
#pragma once
#include "frugal/verbs/common/tune_config.h"

namespace frugal {

struct AdaptConfig : TuneConfig {
  AdaptConfig() { method = "lora", batch = 4; }
  std::string dtype = "bf16";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    TuneConfig::fields(c, v);
    v(dtype_field(), c.dtype);
  }
};

}  // namespace frugal
