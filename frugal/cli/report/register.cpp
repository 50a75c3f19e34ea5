#include "frugal/cli/report/config.h"

#include <filesystem>
#include <iostream>
#include <set>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/print.h"
#include "frugal/base/system.h"
#include "frugal/base/validate.h"
#include "frugal/cli/report/numbers.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/report/serve.h"
#include "frugal/cli/run_rows.h"
#include "frugal/cli/sweep_rows.h"
#include "frugal/train/run/run_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// Steps and evaluations for other programs.
int write_numbers(const ReportConfig& config, const std::vector<fs::path>& runs) {
  std::vector<Json> rows;
  std::vector<std::string> written;
  std::set<std::string> names;
  for (const fs::path& path : runs) {
    report::RunRecord run = report::read_run(path);
    if (names.contains(run.name)) run.name = fs::absolute(path).parent_path().filename().string() + "-" + run.name;
    if (!names.insert(run.name).second)
      throw Error(Exit::usage, "two runs have the name " + run.name, "write them one at a time, or rename a folder");
    if (!config.csv.empty()) {
      for (Json& row : report::rows_of(run)) rows.push_back(std::move(row));
      continue;
    }
    const fs::path folder = fs::path(config.tensorboard) / run.name;
    fs::create_directories(folder);
    write_file(folder / "events.out.tfevents.frugal", report::tensorboard_events(run));
    written.push_back(folder.string());
  }
  if (!config.csv.empty()) {
    write_file(config.csv, csv_of(rows));
    written.push_back(config.csv);
  }
  if (config.output.json) {
    print_json({{"out", written}, {"rows", rows.size()}});
    return 0;
  }
  for (const std::string& name : written) std::cout << name << '\n';
  return 0;
}

// A folder that is no run itself: those below it, a line each.
int list_runs(const ReportConfig& config, const std::vector<RunRow>& rows) {
  if (!config.output.json) {
    std::cout << table_of_runs(rows) << "\nnext        frugal report RUN, or frugal report RUN --compare OTHER\n";
    return 0;
  }
  Json runs = Json::array();
  for (const RunRow& row : rows) runs.push_back(to_json(row));
  print_json({{"runs", runs}});
  return 0;
}

int serve(const ReportConfig& config) {
  catch_interrupts();
  serve_reports({.folder = config.run, .port = config.port, .started = [&](const std::string& url) {
                   if (config.output.json)
                     print_json({{"url", url}});
                   else
                     std::cout << url << "    (Ctrl-C ends it)" << std::endl;
                 }});
  return 0;
}

int run_report(const ReportConfig& config) {
  std::error_code failed;
  if (config.serve) return serve(config);
  if (config.compare.empty() && config.out.empty() && config.csv.empty() && config.tensorboard.empty() &&
      fs::is_directory(config.run, failed) &&
      !fs::exists(fs::symlink_status(fs::path(config.run) / "run.json", failed))) {
    constexpr int kDepth = 3;
    if (const std::vector<RunRow> rows = find_runs(config.run, kDepth); !rows.empty()) return list_runs(config, rows);
  }
  std::vector<fs::path> runs = {config.run};
  runs.insert(runs.end(), config.compare.begin(), config.compare.end());
  if (!config.csv.empty() || !config.tensorboard.empty()) return write_numbers(config, runs);
  const fs::path out = config.out.empty() ? fs::path(config.run) / (runs.size() > 1 ? "compare.html" : "report.html")
                                          : fs::path(config.out);
  if (config.out.empty()) RunFolder::require_own_files(config.run);
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
  const int asked = !c.out.empty() + !c.csv.empty() + !c.tensorboard.empty() + c.serve;
  if (asked > 1)
    throw Error(Exit::usage, "more than one of --out, --csv, --tensorboard and --serve is given",
                "give one of them at a time");
  require_setting(c.port >= 0 && c.port <= 65535, "--port", c.port, "0 to 65535", "--port 0 takes one that is free");
  if (c.port > 0 && !c.serve) throw Error(Exit::usage, "--port is given, but --serve is not", "add --serve");
  if (c.serve && !c.compare.empty())
    throw Error(Exit::usage, "--compare is given with --serve", "leave one of them out");
  if (std::error_code none; c.serve && !fs::is_directory(c.run, none))
    throw Error(Exit::input, "'" + c.run + "' is not a folder", "give a run, or a folder of runs");
  if (!c.csv.empty() && !c.csv.ends_with(".csv"))  // a slip must not overwrite a record
    throw Error(Exit::usage, "--csv is " + c.csv + ", expected a name that ends in .csv", "--csv " + c.csv + ".csv");
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
                          "frugal report runs    (a folder of runs: a line each)",
                          "frugal report run --csv run.csv    (or --tensorboard logs)",
                          "frugal report --serve runs    (in a browser, live)", "frugal report run --json"},
             .actions = {describe_action<ReportConfig>("", "the page", run_report)}});
}

}  // namespace frugal
