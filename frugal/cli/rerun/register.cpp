// frugal rerun: a run once more, from its record.
#include "frugal/base/output_config.h"
#include "frugal/base/system.h"
#include "frugal/base/validate.h"
#include "frugal/cli/run_action.h"

namespace frugal {
namespace {

struct RerunConfig {
  std::string run, out;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "run", .help = "the folder of a run that has ended", .group = "arguments", .is_path = true}, c.run);
    v({.name = "out", .help = "the folder of the new one; must not be there yet", .group = "output", .is_path = true},
      c.out);
    OutputConfig::fields(c.output, v);
  }
};

void validate(const RerunConfig& c) {
  require_given("RUN", c.run, "frugal rerun run --out again");
  require_given("--out", c.out, "--out again");
}

}  // namespace

void register_cli_rerun(SystemTable& table) {
  table.add({.name = "rerun",
             .summary = "repeat a run from its record, and say whether it ends with the same bits",
             .group = "frugal",
             .examples = {"frugal rerun run --out again", "frugal rerun run --out again --json"},
             .actions = {describe_action<RerunConfig>("", "the run once more", [](const RerunConfig& c) {
               return repeat_run(c.run, c.out, c.output.json, c.output.quiet);
             })}});
}

}  // namespace frugal
