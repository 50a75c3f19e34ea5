#include <algorithm>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/cli/doctor/version.h"
#include "frugal/cli/report/charts.h"
#include "frugal/cli/report/figure_parts.h"
#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/style.h"
#include "frugal/cli/report/text.h"

namespace frugal {
namespace report {
namespace {

// Nothing may be fetched or run, whatever a record says; images lie in the page.
constexpr const char* kHead =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
    "content=\"light dark\">\n";

// Runs in folders of the same name are told apart by their paths.
void make_names_distinct(std::vector<RunRecord>& runs) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs) names.push_back(run.name);
  for (RunRecord& run : runs) {
    if (std::count(names.begin(), names.end(), run.name) > 1) run.name = run.path.string();
  }
}

// "sparse-mezo" of a run of tune, "swarm train, cnn" of another.
std::string run_name(const RunKind& kind, const std::string& method) {
  if (kind.is_tune()) return method;
  std::string text = kind.action;
  for (const std::string& choice : kind.choices) text += (text.empty() ? "" : ", ") + choice;
  return text;
}

std::string header(const std::vector<RunRecord>& runs) {
  const RunRecord& first = runs.front();
  std::string out = "<header><div class=\"brand\">frugal report</div>\n";
  if (runs.size() > 1) return out + "<h1>" + std::to_string(runs.size()) + " runs compared</h1></header>\n";
  out += "<h1>" + escape(first.name) + status_pill(first) + "</h1>\n<p>";
  const std::string method = setting_text(first, "method"), model = model_name(first),
                    created = text_at(first.record, {"created"});
  std::string about = run_name(first.kind, method);
  if (!model.empty()) about += (about.empty() ? "" : " on ") + model;
  if (!created.empty()) about += (about.empty() ? "begun " : ", begun ") + created;
  return out + escape(about) + "</p></header>\n";
}

std::string plots(const std::vector<RunRecord>& runs) {
  std::string out;
  for (const Plot& plot : plots_of(runs)) out += figure(plot);
  if (runs.size() == 1) out += confusion_table(runs.front());
  out += memory_figure(runs);
  return out.empty() ? out : "<section><h2>Curves</h2>\n<div class=\"plots\">\n" + out + "</div></section>\n";
}

std::string body(const std::vector<RunRecord>& runs) {
  std::string out = header(runs);
  for (const RunRecord& run : runs) out += notices(run);
  if (runs.size() == 1) {
    const RunRecord& run = runs.front();
    const std::string made_of = facts(run), title = run.kind.is_tune() ? "Data, model and machine" : "Data and machine";
    return out + tiles(run) + figures_section(run) + plots(runs) + evaluations_table(run) + settings_table(run) +
           (made_of.empty() ? made_of : "<section><h2>" + title + "</h2>\n" + made_of + "</section>\n") +
           next_commands(runs);
  }
  out += results_table(runs) + shared_figures(runs) + plots(runs) + settings_differences(runs) +
         "<section><h2>Each run</h2>\n";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    out += "<details class=\"run\"><summary>" + escape(run.name) + status_pill(run) + "</summary>\n" + tiles(run) +
           own_figures(runs, i) + confusion_table(run) + evaluations_table(run) + settings_table(run) + facts(run) +
           "</details>\n";
  }
  return out + "</section>\n" + next_commands(runs);
}

std::string page(const std::vector<RunRecord>& runs) {
  const std::string title = runs.size() > 1 ? std::to_string(runs.size()) + " runs" : runs.front().name;
  return std::string(kHead) + "<title>" + escape(title) + " - frugal</title>\n<style>" + kStyle +
         "</style>\n</head>\n<body>\n<main>\n" + body(runs) + "<footer>Written by frugal " + escape(version()) +
         ". Hover over a plot for its values.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace
}  // namespace report

std::string report_html(const std::vector<std::filesystem::path>& runs, const SystemTable& table) {
  if (runs.empty()) throw Error(Exit::usage, "no run is given", "frugal report RUN");
  std::vector<report::RunRecord> records;
  for (const auto& run : runs) records.push_back(report::read_run(run, table));
  report::make_names_distinct(records);
  return report::page(records);
}

void write_report(const std::filesystem::path& out, const std::vector<std::filesystem::path>& runs) {
  write_file(out, report_html(runs));
}

}  // namespace frugal
