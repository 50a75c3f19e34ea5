#include "frugal/cli/report/config.h"

#include <filesystem>
#include <iostream>

#include "frugal/base/print.h"
#include "frugal/base/system.h"
#include "frugal/base/validate.h"
#include "frugal/cli/report/report.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

int report(const ReportConfig& config) {
  std::vector<fs::path> runs = {config.run};
  runs.insert(runs.end(), config.compare.begin(), config.compare.end());
  const fs::path out = config.out.empty() ? fs::path(config.run) / (runs.size() > 1 ? "compare.html" : "report.html")
                                          : fs::path(config.out);
  write_report(out, runs);
  if (!config.output.json) {
    std::cout << out.string() << '\n';
    return 0;
  }
  Json names = Json::array();
  for (const auto& run : runs) names.push_back(run.string());
  print_json({{"out", out.string()}, {"runs", names}});
  return 0;
}

}  // namespace

void validate(const ReportConfig& c) {
  require_given("RUN", c.run, "frugal report run");
  if (c.out.empty()) return;
  if (!c.out.ends_with(".html") && !c.out.ends_with(".htm"))  // a slip must not overwrite a record
    throw Error(Exit::usage, "--out is " + c.out + ", expected a name that ends in .html", "--out " + c.out + ".html");
  std::error_code failed;
  std::vector<std::string> runs = c.compare;
  runs.push_back(c.run);
  for (const fs::path run : runs)
    require_not_input("--out", c.out, {{"RUN", run / "run.json"}, {"RUN", run / "events.jsonl"}});
  if (fs::is_directory(c.out, failed)) throw Error(Exit::input, "--out: " + c.out + " is a folder", "name a file");
}

void register_cli_report(SystemTable& table) {
  table.add({.name = "report",
             .summary = "a run as one page: curves, results, settings; or several runs compared",
             .group = "frugal",
             .examples = {"frugal report run", "frugal report run --compare other,third --out compared.html",
                          "frugal report run --json"},
             .actions = {describe_action<ReportConfig>("", "the page", report)}});
}

}  // namespace frugal
