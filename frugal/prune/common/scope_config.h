// Options of methods that score units once.
#pragma once
#include <string>

#include "frugal/base/config.h"

namespace frugal {

struct ScopeConfig {
  std::string scope = "global";
  bool is_local() const { return scope == "layer"; }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "scope",
       .help = "what is compared: units of the whole model, or of each layer, which then loses its share",
       .group = "pruning",
       .choices = {"global", "layer"}},
      c.scope);
  }
};

inline void validate(const ScopeConfig&) {}

}  // namespace frugal
