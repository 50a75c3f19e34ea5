#include "frugal/cli/run_rows.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/system.h"
#include "frugal/base/units.h"
#include "frugal/cli/sweep_rows.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

const Json* object_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_object() ? &*found : nullptr;
}

std::string text_at(const Json* json, const char* key) {
  if (json == nullptr) return {};
  const auto found = json->find(key);
  return found != json->end() && found->is_string() ? found->get<std::string>() : std::string();
}

// On a line of a terminal: whatever a record holds, it is not obeyed.
std::string shown(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

std::string shown_count(const std::optional<double>& count, std::string (*format)(double)) {
  constexpr double kMost = 1e15;
  return count && *count >= 0 && *count <= kMost ? format(*count) : std::string();
}

std::optional<double> number_at(const Json* json, const std::string& key) {
  if (json == nullptr) return {};
  const auto found = json->find(key);
  return found != json->end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

// What tune and its kin call the best step, else the first metric of the system that the results have.
void take_score(RunRow& row, const Json& results) {
  const SystemInfo* system = systems().find(row.action.substr(0, row.action.find(' ')));
  if (const Json* best = object_at(results, "best")) {
    row.score = number_at(best, "metric");
    row.metric = row.score ? text_at(best, "metric_name") : std::string();
    row.is_higher_better = row.metric != "loss" && row.metric != "perplexity";
    if (row.score && !row.metric.empty()) return;
  }
  if (system == nullptr) return;
  const Json numbers = numbers_of(results);
  for (const Metric& metric : system->metrics) {
    const std::string column = metric_column({numbers}, std::string(metric.name));
    if (column.empty()) continue;
    row.score = number_at(&numbers, column);
    row.metric = metric.name;
    row.is_higher_better = metric.is_higher_better;
    return;
  }
}

void take_data(RunRow& row, const Json& record) {
  const Json* files = object_at(record, "files");
  for (const char* name : {"dev", "eval", "data"}) {
    const Json* file = files == nullptr ? nullptr : object_at(*files, name);
    if (file == nullptr) continue;
    row.data = text_at(file, "path");
    row.data_sha256 = text_at(file, "sha256");
    return;
  }
}

void look(const fs::path& folder, int depth, std::vector<RunRow>& rows) {
  std::error_code failed;
  if (fs::exists(fs::symlink_status(folder / "run.json", failed))) {
    try {
      rows.push_back(run_row(folder));
    } catch (const Error& error) {  // not ours to read; the rest is still listed
      note(std::string("left out: ") + error.what());
    }
  }
  if (depth == 0) return;
  std::vector<fs::path> below;
  for (const auto& entry : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, failed)) {
    if (!entry.path().filename().string().starts_with(".") && entry.is_directory(failed) && !entry.is_symlink(failed))
      below.push_back(entry.path());
  }
  std::sort(below.begin(), below.end());
  for (const fs::path& each : below) look(each, depth - 1, rows);
}

// Of a long name its end, where names differ.
std::string short_name(const std::string& path) {
  constexpr std::size_t kMost = 28;
  const std::string name = fs::path(path).filename().string();
  return name.size() <= kMost ? name : "..." + name.substr(name.size() - kMost + 3);
}

}  // namespace

RunRow run_row(const fs::path& folder) {
  constexpr std::uint64_t kMost = 64 << 20;
  const fs::path path = folder / "run.json";
  const Json record = json_of(read_file(path, kMost));
  const auto is_text = [&](const char* key) { return !record.contains(key) || record[key].is_string(); };
  if (!record.is_object() || !is_text("action") || !is_text("status"))
    throw Error(Exit::input, path.string() + " is not the record of a run", "move it elsewhere");
  RunRow row{.path = folder.string(), .action = record.value("action", "tune")};
  row.status = record.value("status", record.contains("weights_sha256") ? "done" : "");
  const Json* settings = object_at(record, "settings");
  row.method = text_at(settings, "method");
  take_data(row, record);
  if (const Json* results = object_at(record, "results")) {
    take_score(row, *results);
    row.peak_bytes = number_at(results, "peak_rss_bytes");
    row.seconds = number_at(results, "seconds");
  }
  return row;
}

std::vector<RunRow> find_runs(const fs::path& folder, int depth) {
  std::vector<RunRow> rows;
  look(folder, depth, rows);
  mark_best(rows);
  return rows;
}

void mark_best(std::vector<RunRow>& rows) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<RunRow*>> alike;
  for (RunRow& row : rows) {
    if (row.score && !row.data_sha256.empty()) alike[{row.action, row.data_sha256, row.metric}].push_back(&row);
  }
  for (auto& [key, of] : alike) {
    if (of.size() < 2) continue;
    const auto is_worse = [](const RunRow* a, const RunRow* b) {
      return a->is_higher_better ? *a->score < *b->score : *a->score > *b->score;
    };
    (*std::max_element(of.begin(), of.end(), is_worse))->is_best = true;
  }
}

Json to_json(const RunRow& row) {
  const auto or_null = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  return {{"path", row.path},
          {"action", row.action},
          {"method", row.method},
          {"status", row.status},
          {"is_finished", row.status == "done"},
          {"data", row.data},
          {"metric", row.metric},
          {"score", or_null(row.score)},
          {"is_best", row.is_best},
          {"peak_rss_bytes", or_null(row.peak_bytes)},
          {"seconds", or_null(row.seconds)}};
}

std::string table_of_runs(const std::vector<RunRow>& rows) {
  std::vector<std::vector<std::string>> cells = {
      {"run", "of", "method", "status", "measured on", "score", "", "peak", "time"}};
  for (const RunRow& row : rows) {
    char score[32] = "";
    if (row.score) std::snprintf(score, sizeof score, "%.4g%s", *row.score, row.is_best ? " *" : "  ");
    cells.push_back(
        {shown(row.path), shown(row.action), shown(row.method), row.status.empty() ? "unfinished" : shown(row.status),
         shown(short_name(row.data)), score, shown(row.metric),
         shown_count(row.peak_bytes, [](double bytes) { return format_bytes(static_cast<std::uint64_t>(bytes)); }),
         shown_count(row.seconds, [](double seconds) { return format_seconds(seconds); })});
  }
  std::string text = table(cells, {5, 7, 8});
  if (std::any_of(rows.begin(), rows.end(), [](const RunRow& row) { return row.is_best; }))
    text += "\n* the best of those that were measured on the same data\n";
  return text;
}

}  // namespace frugal
