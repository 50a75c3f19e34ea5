#include "frugal/cli/sweep_job.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <map>
#include <sstream>
#include <thread>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/processor.h"

extern char** environ;

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOfLoop[] = {"steps", "skipped", "seconds", "peak_rss_bytes", "floor_rss_bytes"};

bool is_done(const fs::path& cell) {
  std::error_code failed;
  if (!fs::exists(cell / "run.json", failed)) return false;
  return json_of(read_file(cell / "run.json")).value("status", "") == "done";
}

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string quoted(const std::string& cell) {  // RFC 4180
  if (cell.find_first_of(",\"\n") == cell.npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

class SweepJob : public Job {
 public:
  SweepJob(SweepPlan plan, const JobContext& context)
      : plan_(std::move(plan)), cells_(cells_of(plan_.options)), is_quiet_(context.run.quiet) {
    const std::int64_t threads = context.run.threads > 0 ? context.run.threads : usable_cores();
    most_ = static_cast<std::size_t>(std::max<std::int64_t>(1, threads));
  }
  ~SweepJob() override {
    for (const auto& [index, pid] : running_) ::kill(pid, SIGKILL), ::waitpid(pid, nullptr, 0);
  }

  std::int64_t steps() const override { return static_cast<std::int64_t>(cells_.size()); }
  const char* value_name() const override { return "metric"; }
  void begin(RunFolder& folder, bool) override {
    folder_ = folder.path();
    fs::create_directories(folder_ / "cells");
  }
  void state(State& state, std::int64_t) override {
    state.text("rows", rows_text_);
    if (state.is_restored()) rows_.clear();
  }
  StepResult step(std::int64_t index) override;
  Json evaluate(std::int64_t step, Figures& figures) override;
  Finished finish(Ending& ending) override;

 private:
  // A row of the table: what was set, and the numbers of the cell's results.
  const Json& rows() {
    if (rows_.empty() && !rows_text_.empty()) rows_ = json_of(rows_text_);
    return rows_;
  }
  fs::path path_of(std::size_t index) const;
  void start(std::size_t index);
  void end(std::size_t index, int status);
  void stop();
  std::string metric() const;
  void draw(Figures& figures);

  const SweepPlan plan_;
  const std::vector<Cell> cells_;
  const bool is_quiet_;
  std::size_t most_ = 1, next_ = 0;
  fs::path folder_;
  std::map<std::size_t, pid_t> running_;
  std::string rows_text_;
  Json rows_ = Json::array();
};

fs::path SweepJob::path_of(std::size_t index) const {
  char number[16];
  std::snprintf(number, sizeof number, "%04zu", index + 1);
  std::string name = number;
  for (const auto& [option, value] : cells_[index]) {
    name += "-" + option + "=";
    for (const char c : value.substr(0, 24)) name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '_';
  }
  return folder_ / "cells" / name.substr(0, 200);
}

void SweepJob::start(std::size_t index) {
  const fs::path cell = path_of(index);
  std::vector<std::string> words = {"frugal"};
  std::istringstream verb(plan_.verb);
  for (std::string word; verb >> word;) words.push_back(word);
  if (fs::exists(cell / "run.json")) {
    words.insert(words.end(), {"--resume", cell.string()});
  } else {
    words.insert(words.end(), plan_.arguments.begin(), plan_.arguments.end());
    for (const auto& [option, value] : cells_[index]) words.insert(words.end(), {flag_name(option), value});
    words.insert(words.end(), {"--threads", "1", "--out", cell.string()});
  }
  words.insert(words.end(), {"--json", "--quiet"});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 1, (cell.string() + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, "/proc/self/exe", &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    throw Error(Exit::budget, "the system starts no further process", "close some programs, or take fewer --threads");
  running_[index] = pid;
}

// A cell that did not end well ends the sweep; what it said is in its .out.
void SweepJob::end(std::size_t index, int status) {
  running_.erase(index);
  const fs::path cell = path_of(index);
  const std::string said = cell.string() + ".out";
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && is_done(cell)) {
    std::error_code ignored;
    fs::remove(said, ignored);
    return;
  }
  stop();
  const Json line = json_of(read_file(said).substr(0, 1 << 16));
  const std::string why = line.is_object() ? line.value("error", "") : "";
  throw Error(WIFEXITED(status) ? static_cast<Exit>(WEXITSTATUS(status)) : Exit::internal,
              "the run " + cell.string() + " failed" + (why.empty() ? "" : ": " + why),
              line.is_object() && line.contains("fix") ? line["fix"].get<std::string>() : "see " + said);
}

void SweepJob::stop() {
  for (const auto& [index, pid] : running_) ::kill(pid, SIGINT);
  for (const auto& [index, pid] : running_) ::waitpid(pid, nullptr, 0);
  running_.clear();
}

StepResult SweepJob::step(std::int64_t index) {
  const auto wanted = static_cast<std::size_t>(index);
  next_ = std::max(next_, wanted);
  while (!is_done(path_of(wanted)) || running_.contains(wanted)) {
    while (running_.size() < most_ && next_ < cells_.size()) {
      if (!is_done(path_of(next_))) start(next_);
      ++next_;
    }
    if (is_interrupted()) {
      stop();
      throw_if_interrupted();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (const auto& [at, pid] : std::map(running_)) {
      int status = 0;
      if (::waitpid(pid, &status, WNOHANG) == pid) end(at, status);
    }
  }
  const Json record = json_of(read_file(path_of(wanted) / "run.json"));
  Json row = Json::object();
  for (const auto& [option, value] : cells_[wanted]) row[option] = value;
  for (const auto& [name, value] : record["results"].items()) {
    if (value.is_number() && !row.contains(name)) row[name] = value;  // what was swept stays as it was set
  }
  row["run"] = fs::relative(path_of(wanted), folder_).string();
  Json all = rows();
  all.push_back(row);
  rows_ = all;
  rows_text_ = rows_.dump();
  StepResult result;
  if (const std::string name = metric(); row.contains(name)) {
    result.value = row[name].get<double>();
    result.event[name] = row[name];
  }
  return result;
}

std::string SweepJob::metric() const {
  if (!plan_.metric.empty() || rows_.empty()) return plan_.metric;
  for (const auto& [name, value] : rows_.front().items()) {
    if (value.is_number_float() && std::find(std::begin(kOfLoop), std::end(kOfLoop), name) == std::end(kOfLoop))
      return name;
  }
  return {};
}

// The metric over the first swept option that counts, a line for each combination of the others; over seeds the mean,
// with the least and the largest as a band.
void SweepJob::draw(Figures& figures) {
  const std::string y = metric();
  FigureTable table{.name = "sweep", .title = "Runs of the sweep", .columns = {}, .rows = {}};
  for (const SweptOption& option : plan_.options) table.columns.push_back(option.name);
  const Json first = rows().empty() ? Json::object() : rows().front();
  for (const auto& [name, value] : first.items()) {
    const bool is_shown =
        value.is_number() && std::find(std::begin(kOfLoop), std::end(kOfLoop), name) == std::end(kOfLoop);
    if (is_shown && table.columns.size() < plan_.options.size() + 8) table.columns.push_back(name);
  }
  for (const Json& row : rows()) {
    auto& cells = table.rows.emplace_back();
    for (const std::string& column : table.columns) cells.push_back(row.value(column, Json("")));
  }
  figures.add(table);
  const auto x = std::find_if(plan_.options.begin(), plan_.options.end(), [](const SweptOption& option) {
    return option.name != "seed" && std::all_of(option.values.begin(), option.values.end(),
                                                [](const std::string& value) { return as_number(value).has_value(); });
  });
  if (x == plan_.options.end() || y.empty()) return;
  std::vector<std::string> order;
  std::map<std::string, std::map<double, std::vector<double>>> lines;
  for (const Json& row : rows()) {
    if (!row.contains(y)) continue;
    std::string line;
    for (const SweptOption& option : plan_.options) {
      if (option.name == x->name || option.name == "seed") continue;
      line += (line.empty() ? "" : ", ") + option.name + " " + row[option.name].get<std::string>();
    }
    if (!lines.contains(line)) order.push_back(line);
    lines[line][*as_number(row[x->name].get<std::string>())].push_back(row[y].get<double>());
  }
  Figure figure{.name = "sweep_" + y, .title = y + " against " + x->name, .x_name = x->name, .y_name = y, .series = {}};
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

Json SweepJob::evaluate(std::int64_t step, Figures& figures) {
  if (step > 0) draw(figures);
  return nullptr;
}

Finished SweepJob::finish(Ending& ending) {
  draw(ending.figures);
  std::vector<std::string> columns;
  for (const Json& row : rows()) {
    for (const auto& [name, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  std::string csv;
  for (const std::string& column : columns) csv += (csv.empty() ? "" : ",") + quoted(column);
  csv += "\n";
  for (const Json& row : rows()) {
    std::string line;
    for (const std::string& column : columns) {
      const Json cell = row.value(column, Json(""));
      line +=
          (&column == &columns.front() ? "" : ",") + quoted(cell.is_string() ? cell.get<std::string>() : cell.dump());
    }
    csv += line + "\n";
  }
  write_file(folder_ / "sweep.csv", csv);
  return {.results = {{"cells", cells_.size()}, {"table", (folder_ / "sweep.csv").string()}, {"rows", rows()}}};
}

}  // namespace

std::unique_ptr<Job> make_sweep_job(SweepPlan plan, const JobContext& context) {
  return std::make_unique<SweepJob>(std::move(plan), context);
}

}  // namespace frugal
