// Options of frugal prune --method wanda.
#pragma once
#include "frugal/base/config.h"

namespace frugal {

struct WandaConfig {
  std::string scope = "layer";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "scope",
       .help = "what is compared: units of the whole model, or of each layer, which then loses its share",
       .group = "pruning",
       .choices = {"global", "layer"}},
      c.scope);
  }
};

inline void validate(const WandaConfig&) {}

}  // namespace frugal
