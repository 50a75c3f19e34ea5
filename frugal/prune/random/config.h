// Options of frugal prune --method random.
#pragma once
#include "frugal/base/config.h"

namespace frugal {

struct RandomConfig {
  std::string scope = "global";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "scope",
       .help = "what is compared: units of the whole model, or of each layer, which then loses its share",
       .group = "pruning",
       .choices = {"global", "layer"}},
      c.scope);
  }
};

inline void validate(const RandomConfig&) {}

}  // namespace frugal
