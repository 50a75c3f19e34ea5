#include "frugal/cli/sweep_rows.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace frugal {
namespace {

constexpr std::size_t kMostNumbers = 8;  // shown in the table beside what was set
constexpr std::string_view kOfLoop[] = {"steps", "skipped", "seconds", "peak_rss_bytes", "floor_rss_bytes"};

bool is_of_loop(const std::string& name) {
  return std::find(std::begin(kOfLoop), std::end(kOfLoop), name) != std::end(kOfLoop);
}

bool has_number(const std::vector<Json>& rows, const std::string& column) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const Json& row) { return row.contains(column) && row[column].is_number(); });
}

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == cell.npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

void add_numbers(const Json& results, const std::string& prefix, Json& numbers) {
  for (const auto& [name, value] : results.items()) {
    if (value.is_number())
      numbers[prefix + name] = value;
    else if (value.is_object())
      add_numbers(value, prefix + name + ".", numbers);
  }
}

// Every column, in the order in which rows have them.
std::vector<std::string> columns_of(const std::vector<Json>& rows) {
  std::vector<std::string> columns;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  return columns;
}

FigureTable table_of(const std::vector<Json>& rows, const std::vector<SweptOption>& options,
                     const std::string& column) {
  FigureTable table{.name = "sweep", .title = "Runs of the sweep", .columns = {}, .rows = {}};
  for (const SweptOption& option : options) table.columns.push_back(option.name);
  const bool have_all_ended_well =
      std::all_of(rows.begin(), rows.end(), [](const Json& row) { return row["status"] == "done"; });
  if (!have_all_ended_well) table.columns.emplace_back("status");
  const std::size_t set = table.columns.size();
  if (!column.empty()) table.columns.push_back(column);
  for (const std::string& name : columns_of(rows)) {
    if (table.columns.size() == set + kMostNumbers) break;
    if (!is_of_loop(name) && name != column && has_number(rows, name)) table.columns.push_back(name);
  }
  for (const Json& row : rows) {
    auto& cells = table.rows.emplace_back();
    for (const std::string& name : table.columns) cells.push_back(row.value(name, Json("")));
  }
  return table;
}

}  // namespace

Json numbers_of(const Json& results) {
  Json numbers = Json::object();
  add_numbers(results, "", numbers);
  return numbers;
}

Json row_of(const Cell& cell, const std::string& status, const Json& results, const std::string& run) {
  Json row = Json::object();
  for (const auto& [option, value] : cell) row[option] = value;
  row["status"] = status;
  const Json numbers = numbers_of(results);
  for (const auto& [name, value] : numbers.items()) {
    if (!row.contains(name)) row[name] = value;
  }
  row["run"] = run;
  return row;
}

std::string metric_column(const std::vector<Json>& rows, const std::string& metric) {
  for (const std::string& column : {metric, std::string("best.metric"), "test." + metric}) {
    if (!metric.empty() && has_number(rows, column)) return column;
  }
  return {};
}

std::string drawn_column(const std::vector<Json>& rows, const std::string& metric, const Settings& options) {
  if (const std::string column = metric_column(rows, metric); !column.empty()) return column;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (value.is_number_float() && !is_of_loop(name) && !options.has(name)) return name;
    }
  }
  return {};
}

std::string csv_of(const std::vector<Json>& rows) {
  const std::vector<std::string> columns = columns_of(rows);
  std::string csv;
  for (const std::string& column : columns) csv += (csv.empty() ? "" : ",") + quoted(column);
  csv += "\n";
  for (const Json& row : rows) {
    std::string line;
    for (const std::string& column : columns) {
      const Json cell = row.value(column, Json(""));
      line +=
          (&column == &columns.front() ? "" : ",") + quoted(cell.is_string() ? cell.get<std::string>() : cell.dump());
    }
    csv += line + "\n";
  }
  return csv;
}

void draw_rows(const std::vector<Json>& rows, const std::vector<SweptOption>& options, const std::string& column,
               Figures& figures) {
  figures.add(table_of(rows, options, column));
  const auto x = std::find_if(options.begin(), options.end(), [](const SweptOption& option) {
    return option.name != "seed" && std::all_of(option.values.begin(), option.values.end(),
                                                [](const std::string& value) { return as_number(value).has_value(); });
  });
  if (x == options.end() || column.empty()) return;
  std::vector<std::string> order;
  std::map<std::string, std::map<double, std::vector<double>>> lines;
  for (const Json& row : rows) {
    if (!row.contains(column) || !row[column].is_number()) continue;
    std::string line;
    for (const SweptOption& option : options) {
      if (option.name == x->name || option.name == "seed") continue;
      line += (line.empty() ? "" : ", ") + option.name + " " + row[option.name].get<std::string>();
    }
    if (!lines.contains(line)) order.push_back(line);
    lines[line][*as_number(row[x->name].get<std::string>())].push_back(row[column].get<double>());
  }
  if (lines.empty()) return;
  Figure figure{.name = "sweep_" + column,
                .title = column + " against " + x->name,
                .x_name = x->name,
                .y_name = column,
                .series = {}};
  for (const std::string& line : order) {
    Series series{.name = line, .x = {}, .y = {}};
    for (const auto& [at, values] : lines[line]) {
      double sum = 0;
      for (const double value : values) sum += value;
      series.x.push_back(at);
      series.y.push_back(sum / static_cast<double>(values.size()));
      series.low.push_back(*std::min_element(values.begin(), values.end()));
      series.high.push_back(*std::max_element(values.begin(), values.end()));
    }
    if (series.low == series.y && series.high == series.y) series.low.clear(), series.high.clear();
    figure.series.push_back(std::move(series));
  }
  figures.add(figure);
}

}  // namespace frugal
