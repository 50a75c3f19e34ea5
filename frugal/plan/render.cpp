// A plan as a table of aligned columns, and as JSON.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "frugal/base/units.h"
#include "frugal/plan/plan.h"

namespace frugal {
namespace {

// Every purpose that a row has, in the order of their first rows.
std::vector<std::string> purposes_of(std::span<const PlanRow> rows) {
  std::vector<std::string> names;
  for (const PlanRow& row : rows) {
    for (const PlanItem& item : row.plan.items) {
      if (std::find(names.begin(), names.end(), item.purpose) == names.end()) names.push_back(item.purpose);
    }
  }
  return names;
}

std::string bytes_of(const PlanRow& row, const std::string& purpose) {
  for (const PlanItem& item : row.plan.items) {
    if (item.purpose == purpose && item.bytes > 0) return format_bytes(item.bytes);
  }
  return "0";
}

std::string step_time(double seconds) {
  if (!std::isfinite(seconds) || seconds > 1e9) return "years";
  if (seconds >= 10) return format_seconds(seconds);
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", seconds);
  return text;
}

using Line = std::vector<std::string>;

// Widths are those of the longest cell; all but the first and the last column are flush right.
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
      if (i > 0) text += "  ";
      text += i == 0 ? line[i] + space : is_last ? line[i] : space + line[i];
    }
    text += '\n';
  }
  return text;
}

const char* name(Phase phase) {
  return phase == Phase::always ? "always" : phase == Phase::reading ? "reading" : "stepping";
}

const char* name(PlanWeights weights) {
  return weights == PlanWeights::bf16 ? "bf16" : weights == PlanWeights::f32 ? "f32" : "stored";
}

}  // namespace

std::string plan_table(std::span<const PlanRow> rows, std::uint64_t memory) {
  const std::vector<std::string> purposes = purposes_of(rows);
  std::vector<Line> lines(1, {"method"});
  lines[0].insert(lines[0].end(), purposes.begin(), purposes.end());
  lines[0].insert(lines[0].end(), {"peak", "a step", memory > 0 ? "fits " + format_bytes(memory) : "fits in"});
  for (const PlanRow& row : rows) {
    Line line = {row.method};
    for (const std::string& purpose : purposes) line.push_back(bytes_of(row, purpose));
    line.push_back(format_bytes(row.peak));
    line.push_back(step_time(row.plan.seconds_per_step));
    line.push_back(memory == 0 ? format_bytes(row.smallest_budget) : row.fits ? "yes" : "no: " + row.what_gives);
    lines.push_back(std::move(line));
  }
  return align(lines);
}

Json plan_json(std::span<const PlanRow> rows, const PlanRequest& request) {
  Json methods = Json::array();
  for (const PlanRow& row : rows) {
    Json purposes = Json::array();
    for (const PlanItem& item : row.plan.items) {
      purposes.push_back({{"purpose", item.purpose}, {"bytes", item.bytes}, {"phase", name(item.phase)}});
    }
    methods.push_back({{"method", row.method},
                       {"memory", purposes},
                       {"peak_bytes", row.peak},
                       {"fits", row.fits},
                       {"what_gives", row.fits ? Json() : Json(row.what_gives)},
                       {"smallest_budget_bytes", row.smallest_budget},
                       {"seconds_per_step", row.plan.seconds_per_step}});
  }
  return {{"batch", request.batch},
          {"length", request.length},
          {"threads", request.threads},
          {"compute", name(request.arithmetic)},
          {"weights", name(request.weights)},
          {"memory_bytes", request.memory > 0 ? Json(request.memory) : Json()},
          {"methods", methods}};
}

}  // namespace frugal
