// Options of what follows every method of pruning: projections are refitted.
#pragma once
#include <cstdint>

#include "frugal/base/config.h"

namespace frugal {

struct RefitConfig {
  bool reconstruct = false, compensate = false;
  std::int64_t windows = 0;
  bool is_wanted() const { return reconstruct || compensate; }

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "reconstruct",
       .help = "at the end refit what reads heads and neurons by least squares, so that it gives what it gave",
       .group = "pruning"},
      c.reconstruct);
    v({.name = "compensate",
       .help = "at the end give it biases: what has gone with the units on average; flap does unless --reconstruct or "
               "--no-compensate is given",
       .group = "pruning"},
      c.compensate);
    v({.name = "reconstruct_windows",
       .help = "windows of text for both; 0: eight tokens for each column of the widest projection",
       .group = "pruning"},
      c.windows);
  }
};

inline void validate(const RefitConfig& c) {
  require_setting(c.windows >= 0, "--reconstruct-windows", c.windows, "at least 0",
                  "--reconstruct-windows 48 is usual");
}

}  // namespace frugal
