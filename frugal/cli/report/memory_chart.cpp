// Memory as bars: what the plan foresaw by purpose, what the process took, what it was allowed.
#include <algorithm>
#include <cstdio>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

struct Part {
  std::string name;
  double bytes = 0;
  std::size_t color = 0;
};

struct Bar {
  std::string name;
  std::vector<Part> parts;
  double limit = 0;  // 0: none

  double sum() const {
    double bytes = 0;
    for (const Part& part : parts) bytes += part.bytes;
    return bytes;
  }
};

// What the measured peak is made of.
std::pair<std::string, std::string> halves(const RunRecord& run) {
  if (run.kind.is_tune()) return {"before the model was loaded", "model and training"};
  return {"before the run began", "the run"};
}

std::vector<Bar> bars_of(const RunRecord& run, const std::string& prefix, std::vector<std::string>& purposes) {
  std::vector<Bar> bars;
  const double limit = number_at(run.record, {"settings", "memory"}).value_or(0);
  Bar plan{.name = prefix + "planned", .parts = {}, .limit = limit};
  for (const auto& [purpose, bytes] : planned_memory(run)) {
    const auto found = std::find(purposes.begin(), purposes.end(), purpose);
    plan.parts.push_back({purpose, bytes, static_cast<std::size_t>(found - purposes.begin())});
    if (found == purposes.end()) purposes.push_back(purpose);
  }
  if (!plan.parts.empty()) bars.push_back(plan);
  if (const auto peak = peak_bytes(run)) {
    Bar measured{.name = prefix + "measured peak", .parts = {}, .limit = limit};
    const double floor =
        std::clamp(number_at(run.record, {"results", "floor_rss_bytes"}).value_or(0), 0.0, std::max(*peak, 0.0));
    const auto [before, after] = halves(run);
    if (floor > 0) measured.parts.push_back({before, floor, 7});
    measured.parts.push_back({after, *peak - floor, 0});
    bars.push_back(measured);
  }
  return bars;
}

std::string percent(double share) {
  char text[40];
  std::snprintf(text, sizeof text, "%.4g%%", 100 * share);
  return text;
}

std::string bar_html(const Bar& bar, double scale) {
  std::string out = "<div class=\"bar\"><div><span>" + escape(bar.name) + "</span><b>" + escape(memory(bar.sum())) +
                    "</b></div><svg role=\"img\" aria-label=\"" + escape(bar.name) +
                    "\"><rect class=\"track\" width=\"100%\" height=\"100%\"/>";
  double at = 0;
  for (const Part& part : bar.parts) {
    out += "<rect height=\"100%\" x=\"" + percent(at / scale) + "\" width=\"" + percent(part.bytes / scale) +
           "\" fill=\"" + color_of(part.color) + "\"><title>" + escape(part.name + ": " + memory(part.bytes)) +
           "</title></rect>";
    at += part.bytes;
  }
  if (bar.limit > 0) {
    const std::string x = percent(bar.limit / scale);
    out += "<line class=\"limit\" y2=\"100%\" x1=\"" + x + "\" x2=\"" + x + "\"><title>" +
           escape("--memory " + memory(bar.limit)) + "</title></line>";
  }
  return out + "</svg></div>";
}

}  // namespace

std::string memory_figure(const std::vector<RunRecord>& runs) {
  std::vector<Bar> bars;
  std::vector<std::string> purposes;
  for (const RunRecord& run : runs) {
    for (Bar& bar : bars_of(run, runs.size() > 1 ? run.name + ", " : "", purposes)) bars.push_back(std::move(bar));
  }
  double scale = 0, limit = 0;
  for (const Bar& bar : bars) scale = std::max({scale, bar.sum(), bar.limit}), limit = std::max(limit, bar.limit);
  if (!(scale > 0)) return {};
  std::string out = "<figure><figcaption><b>Memory</b> <small>of the whole process</small>";
  const bool has_floor = std::any_of(bars.begin(), bars.end(),
                                     [](const Bar& bar) { return bar.parts.size() == 2 && bar.parts[0].color == 7; });
  out += "<span class=\"legend\">";
  if (!purposes.empty()) {
    for (std::size_t i = 0; i < purposes.size(); ++i) out += legend_entry(i, purposes[i]);
  } else if (has_floor) {
    const auto [before, after] = halves(runs.front());
    out += legend_entry(7, before) + legend_entry(0, after);
  }
  out += "</span></figcaption>";
  for (const Bar& bar : bars) out += bar_html(bar, scale * 1.02);
  if (limit > 0) out += "<p class=\"note\">" + escape("The line is --memory " + memory(limit) + ".") + "</p>";
  return out + "</figure>\n";
}

}  // namespace frugal::report
