#include "frugal/cli/report/run_record.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/run_folder.h"

namespace frugal::report {
namespace {

// Of a line: bytes, and what is built of it. A figure of a million points is 40 MB; names in an object are looked up
// one by one, so quotes bound the time it takes.
constexpr std::size_t kLongestLine = 64 << 20, kMostValues = 8'000'000, kMostQuotes = 40'000;
constexpr std::size_t kMostKeys = 40, kMostBlocks = 512, kMostClasses = 64;
constexpr std::size_t kMostFigures = 64, kMostImageBytes = 24 << 20;  // of one run

std::optional<double> number_of(const Json& value) {
  if (!value.is_number()) return {};
  const double number = value.get<double>();
  if (!(std::abs(number) <= 1e100)) return {};
  return number;
}

std::optional<double> step_of(const RunRecord& run, const Json& event) {
  const auto step = number_at(event, {"step"});
  return step && *step >= 0 && *step <= 0x1p53 ? std::optional(run.in_units(*step)) : std::nullopt;
}

// Cells of a sweep, or what the job cuts its steps from (StepUnit).
void take_unit(RunRecord& run) {
  constexpr double kMost = 1e15;
  const std::string name = text_at(run.record, {"step_unit", "name"});
  const auto each = number_at(run.record, {"step_unit", "each"}), per = number_at(run.record, {"step_unit", "per"}),
             last = number_at(run.record, {"step_unit", "last"});
  if (find(run.record, {"settings", "swept"}) != nullptr) {
    run.step_name = "cell";
  } else if (!name.empty() && name.size() <= 40 && each && per && *each >= 1 && *per >= 1 && *each <= kMost &&
             *per <= kMost) {
    run.step_name = name;
    run.step_size = *each / *per;
    run.most_steps = last.value_or(0) > 0 ? *last : 0;
  }
}

Curve* curve_for(RunRecord& run, const std::string& key) {
  for (auto& [name, curve] : run.steps) {
    if (name == key) return &curve;
  }
  if (run.steps.size() == kMostKeys) return nullptr;
  return &run.steps.emplace_back(key, Curve()).second;
}

std::optional<double> mean_size(const Json& gradients) {
  if (!gradients.is_array()) return {};
  double sum = 0, numbers = 0;
  for (const Json& each : gradients) {
    if (const auto value = number_of(each)) sum += std::abs(*value), ++numbers;
  }
  return numbers > 0 ? std::optional(sum / numbers) : std::nullopt;
}

std::optional<double> block_index(RunRecord& run, const Json& block) {
  if (!block.is_string()) return number_of(block);
  const auto& text = block.get_ref<const std::string&>();
  const auto found = std::find(run.block_names.begin(), run.block_names.end(), text);
  if (found == run.block_names.end()) {
    if (run.block_names.size() == kMostBlocks) return {};
    run.block_names.push_back(text);
    return static_cast<double>(run.block_names.size() - 1);
  }
  return static_cast<double>(found - run.block_names.begin());
}

bool take_step(RunRecord& run, const Json& event) {
  const auto step = step_of(run, event);
  if (!step) return false;
  if (*step <= run.last_step) {
    for (auto& [name, curve] : run.steps) curve.cut_from(*step);
    while (!run.skipped.empty() && run.skipped.back() >= *step) run.skipped.pop_back();
  }
  run.last_step = *step;
  for (const auto& [key, value] : event.items()) {
    if (key == "step" || key == "event") continue;
    std::optional<double> number = number_of(value);
    if (key == "projected_gradients") number = mean_size(value);
    if (key == "active_block") number = block_index(run, value);
    if (!number) continue;
    if (Curve* curve = curve_for(run, key)) curve->add(*step, *number);
  }
  const Json* skipped = find(event, {"skipped"});
  if (skipped != nullptr && skipped->is_boolean() && skipped->get<bool>()) run.skipped.push_back(*step);
  return true;
}

// Reads up to the next line feed. False at the end of the file.
bool next_line(std::istream& file, std::string& line, bool& is_whole) {
  line.clear();
  is_whole = true;
  std::streambuf& in = *file.rdbuf();
  constexpr int kEnd = std::streambuf::traits_type::eof();
  int c = in.sbumpc();
  if (c == kEnd) return false;
  for (; c != kEnd && c != '\n'; c = in.sbumpc()) {
    is_whole = line.size() < kLongestLine;
    if (is_whole) line += static_cast<char>(c);
  }
  return true;
}

// Whether a value of bounded size comes of it. Text that is no JSON gets some answer.
bool is_bounded(const std::string& line) {
  std::size_t quotes = 0, lists = 0, values = 0;
  bool is_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"')
      is_text = !is_text, ++quotes;
    else if (is_text)
      i += c == '\\';
    else
      lists += c == '[' || c == '{', values += c == ',';
  }
  return quotes <= kMostQuotes && lists <= kMostQuotes && values <= kMostValues;
}

// The newest of a name counts.
bool take_figure(RunRecord& run, const Json& event) {
  std::optional<FigureRecord> figure = figure_of(event);
  if (!figure) return false;
  const auto place = std::find_if(run.figures.begin(), run.figures.end(),
                                  [&](const FigureRecord& each) { return name_of(each) == name_of(*figure); });
  if (place != run.figures.end())
    *place = std::move(*figure);
  else if (run.figures.size() < kMostFigures)
    run.figures.push_back(std::move(*figure));
  else
    return false;
  return true;
}

// Images that would make a page too large to open count as lines that could not be read.
void bound_images(RunRecord& run) {
  std::size_t bytes = 0;
  run.unread_lines += std::erase_if(run.figures, [&](const FigureRecord& each) {
    const auto* picture = std::get_if<Picture>(&each);
    if (picture == nullptr || bytes + picture->base64.size() <= kMostImageBytes) {
      bytes += picture == nullptr ? 0 : picture->base64.size();
      return false;
    }
    return true;
  });
}

bool take_evaluation(RunRecord& run, const Json& event) {
  const auto step = step_of(run, event);
  if (!step) return false;
  Evaluation found{
      .data = text_at(event, {"data"}), .step = *step, .values = {}, .confusion = confusion_at(event, {"confusion"})};
  if (found.data.empty()) found.data = "dev";
  for (const auto& [key, value] : event.items()) {
    if (key == "step" || found.values.size() == kMostKeys) continue;
    if (const auto number = number_of(value)) found.values.emplace_back(key, *number);
  }
  auto& all = run.evaluations;  // an evaluation at or after this step is one of before a resume
  while (!all.empty() && all.back().data == found.data && all.back().step >= *step) all.pop_back();
  all.push_back(std::move(found));
  return true;
}

}  // namespace

const Json* find(const Json& json, std::initializer_list<std::string_view> keys) {
  const Json* at = &json;
  for (const std::string_view key : keys) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(std::string(key));
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::optional<double> number_at(const Json& json, std::initializer_list<std::string_view> keys) {
  const Json* value = find(json, keys);
  return value == nullptr ? std::nullopt : number_of(*value);
}

std::string text_at(const Json& json, std::initializer_list<std::string_view> keys) {
  const Json* value = find(json, keys);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Confusion confusion_at(const Json& json, std::initializer_list<std::string_view> keys) {
  const Json* rows = find(json, keys);
  if (rows == nullptr || !rows->is_array() || rows->empty() || rows->size() > kMostClasses) return {};
  Confusion table;
  for (const Json& row : *rows) {
    if (!row.is_array() || row.size() != rows->size()) return {};
    auto& counts = table.emplace_back();
    for (const Json& cell : row) {
      const auto value = number_of(cell);
      if (!value || *value < 0) return {};
      counts.push_back(*value);
    }
  }
  return table;
}

std::optional<double> Evaluation::value(std::string_view key) const {
  for (const auto& [name, number] : values) {
    if (name == key) return number;
  }
  return {};
}

double RunRecord::in_units(double step) const {
  const double count = step * step_size, whole = std::round(count);
  const double exact = std::abs(count - whole) < 1e-9 * std::max(1.0, whole) ? whole : count;  // 7 * (1 / 7)
  return most_steps > 0 ? std::min(exact, most_steps) : exact;
}

const Curve& RunRecord::curve(std::string_view key) const {
  static const Curve none;
  for (const auto& [name, curve] : steps) {
    if (name == key) return curve;
  }
  return none;
}

Curve RunRecord::evaluation_curve(std::string_view data, std::string_view key) const {
  Curve out;
  for (const Evaluation& each : evaluations) {
    if (each.data != data) continue;
    const auto value = each.value(key);
    if (!value) continue;
    out.cut_from(each.step);
    out.add(each.step, *value);
  }
  return out;
}

RunRecord read_run(const std::filesystem::path& path, const SystemTable& table) {
  RunRecord run;
  run.path = path;
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  run.name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  run.record = RunFolder::read_untrusted(path);
  run.kind = kind_of(run.record, table);
  if (!RunFolder::is_whole(run.record))
    note((path / "run.json").string() + " is damaged or was edited: drawn as it is");
  take_unit(run);
  std::error_code failed;
  const bool has_events = std::filesystem::is_regular_file(path / "events.jsonl", failed);
  if (!has_events && std::filesystem::exists(path / "events.jsonl", failed))
    note((path / "events.jsonl").string() + " is not a file, and left out");
  std::ifstream events;
  if (has_events) events.open(path / "events.jsonl", std::ios::binary);
  bool is_whole = true;
  LineCheck check(RunFolder::chain_start(run.record));
  std::size_t damaged = 0;
  const bool has_checksums = run.record.contains("checksum");
  for (std::string line; has_events && next_line(events, line, is_whole);) {
    if (line.empty()) continue;
    if (has_checksums && !check.is_whole(line)) {
      ++damaged;
      ++run.unread_lines;
      continue;
    }
    const Json event = is_whole && is_bounded(line) ? json_of(line) : Json();
    const std::string kind = event.is_object() ? text_at(event, {"event"}) : std::string();
    const bool is_read = kind == "step"          ? take_step(run, event)
                         : kind == "eval"        ? take_evaluation(run, event)
                         : is_figure_event(kind) ? take_figure(run, event)
                                                 : !kind.empty();
    run.unread_lines += !is_read;
  }
  if (damaged > 0)
    note(std::to_string(damaged) + " damaged lines of " + (path / "events.jsonl").string() + " are left out");
  bound_images(run);
  return run;
}

}  // namespace frugal::report
