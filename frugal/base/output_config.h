// What every verb has: how results are given.
#pragma once
#include "frugal/base/config.h"

namespace frugal {

struct OutputConfig {
  bool json = false;
  bool quiet = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
    v({.name = "quiet", .help = "no notes and no progress on stderr", .group = "output"}, c.quiet);
  }
};

}  // namespace frugal
