// A plan as a table of aligned columns, and as JSON.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "frugal/base/units.h"
#include "frugal/plan/plan.h"

namespace frugal {
namespace {

using Line = std::vector<std::string>;

// Every purpose that a row has, in the order they first come.
std::vector<std::string> purposes_of(const std::vector<PlanRow>& rows) {
  std::vector<std::string> names;
  for (const PlanRow& row : rows) {
    for (const PlanPart& part : row.parts) {
      if (std::find(names.begin(), names.end(), part.purpose) == names.end()) names.push_back(part.purpose);
    }
  }
  return names;
}

std::string bytes_for(const PlanRow& row, const std::string& purpose) {
  for (const PlanPart& part : row.parts) {
    if (part.purpose == purpose) return format_bytes(part.bytes);
  }
  return "0";
}

std::string streamed(const PlanRequest& request, const PlanRow& row) {
  if (row.choices.file_window == 0) return {};
  return ", weights streamed: " + format_bytes(row.choices.file_window) + " of " + format_bytes(request.file_bytes) +
         " at a time";
}

std::string step_time(double seconds) {
  if (!(seconds < 1e9)) return "years";
  char text[32];
  if (seconds >= 10)
    std::snprintf(text, sizeof text, "~%s", format_seconds(seconds).c_str());
  else
    std::snprintf(text, sizeof text, "~%.2f s", seconds);
  return text;
}

// As wide as the longest cell of a column; numbers, between the first column and the last, flush right.
std::string align(const std::vector<Line>& lines) {
  std::vector<std::size_t> widths(lines.front().size(), 0);
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      const bool is_last = i + 1 == line.size();
      text += (i == 0 ? line[i] + space : "  " + (is_last ? line[i] : space + line[i])) + (is_last ? "\n" : "");
    }
  }
  return text;
}

// The row that tunes with the least memory; of all rows where none tunes.
const PlanRow& least(const std::vector<PlanRow>& rows) {
  return *std::min_element(rows.begin(), rows.end(), [](const PlanRow& a, const PlanRow& b) {
    return a.is_tuning != b.is_tuning ? a.is_tuning : a.least < b.least;
  });
}

}  // namespace

std::string plan_table(const PlanRequest& request, const std::vector<PlanRow>& rows, const PlanView& view) {
  if (rows.empty()) return {};
  const std::vector<std::string> purposes = view.has_parts ? purposes_of(rows) : std::vector<std::string>();
  const bool has_learned = !view.learned_name.empty();
  std::vector<Line> lines(1, {"method"});
  lines[0].insert(lines[0].end(), purposes.begin(), purposes.end());
  lines[0].insert(lines[0].end(), {"peak", "a step"});
  if (has_learned) lines[0].push_back(view.learned_name);
  lines[0].insert(lines[0].end(), {request.memory > 0 ? "fits " + format_bytes(request.memory) : "fits in"});
  for (const PlanRow& row : rows) {
    Line& line = lines.emplace_back(1, row.method);
    for (const std::string& purpose : purposes) line.push_back(bytes_for(row, purpose));
    line.insert(line.end(), {format_bytes(row.peak), step_time(row.seconds_per_step)});
    if (has_learned) {
      const auto found = view.learned.find(row.method);
      line.push_back(found == view.learned.end() ? "" : found->second);
    }
    const std::string budget = format_budget(smallest_budget(row.least));
    line.push_back(request.memory == 0 ? budget + (row.least < row.peak ? ", weights streamed" : "")
                   : row.fits          ? "yes" + streamed(request, row)
                                       : "no: " + row.what_gives);
  }
  if (!view.footer.empty()) return align(lines) + view.footer;
  const PlanRow& best = least(rows);
  return align(lines) + "the smallest round budget for " + best.method + ": --memory " +
         format_budget(smallest_budget(best.least)) + "\n";
}

Json plan_json(const PlanRequest& request, const std::vector<PlanRow>& rows) {
  Json list = Json::array();
  for (const PlanRow& row : rows) {
    Json parts = Json::object();
    for (const PlanPart& part : row.parts) parts[part.purpose] = part.bytes;
    list.push_back({{"method", row.method},
                    {"parts", parts},
                    {"peak", row.peak},
                    {"fits", row.fits},
                    {"choices", row.choices},
                    {"what_gives", row.what_gives},
                    {"smallest_budget_bytes", smallest_budget(row.least)},
                    {"seconds_per_step", row.seconds_per_step}});
  }
  const ModelShape& shape = request.shape;
  Json json = {{"model",
                {{"architecture", shape.architecture},
                 {"layers", shape.layers.size()},
                 {"hidden", shape.hidden},
                 {"vocab", shape.vocab},
                 {"context", shape.context},
                 {"file_bytes", request.file_bytes}}},
               {"weights", name(request.weights)},
               {"compute", request.bf16_compute ? "bf16" : "f32"},
               {"batch", request.batch},
               {"length", request.length},
               {"threads", request.threads},
               {"memory", request.memory},
               {"rows", list}};
  if (!rows.empty()) {
    const PlanRow& best = least(rows);
    json["smallest_budget"] = format_budget(smallest_budget(best.least));
    json["smallest_budget_bytes"] = smallest_budget(best.least);
    json["fits"] = best.fits;
  }
  return json;
}

}  // namespace frugal
