// frugal report: a run, or several side by side, as one page of HTML.
#pragma once
#include "frugal/base/output_config.h"

namespace frugal {

struct ReportConfig {
  std::string run;
  std::vector<std::string> compare;
  std::string out, csv, tensorboard;
  bool serve = false;
  std::int64_t port = 0;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "run",
       .help = "the folder that --out of a run made; or a folder of such, which are listed",
       .group = "arguments",
       .is_path = true},
      c.run);
    v({.name = "compare",
       .help = "other runs, set beside RUN in the same plots and one table",
       .group = "runs",
       .is_path = true},
      c.compare);
    v({.name = "out",
       .help = "the page, a name that ends in .html; replaced when it is there. Default: RUN/report.html, with "
               "--compare RUN/compare.html",
       .group = "output",
       .is_path = true},
      c.out);
    v({.name = "csv",
       .help = "instead of the page, a table: a row for each step and evaluation, a column for each number; replaced "
               "when it is there",
       .group = "output",
       .is_path = true},
      c.csv);
    v({.name = "tensorboard",
       .help = "instead of the page, a folder that tensorboard --logdir reads; each run is a folder in it",
       .group = "output",
       .is_path = true},
      c.tensorboard);
    v({.name = "serve",
       .help =
           "instead of the page, a server of it on this machine alone, 127.0.0.1, until Ctrl-C: live while a run goes "
           "on; of a folder of runs all of them",
       .group = "serving"},
      c.serve);
    v({.name = "port", .help = "of --serve; 0: any that is free", .group = "serving"}, c.port);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const ReportConfig& config);

}  // namespace frugal
