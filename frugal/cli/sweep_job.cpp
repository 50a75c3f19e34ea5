#include "frugal/cli/sweep_job.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <sstream>
#include <thread>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/processor.h"
#include "frugal/cli/cell_process.h"
#include "frugal/cli/sweep_rows.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

Json record_of(const fs::path& cell) {
  std::error_code failed;
  if (!fs::exists(cell / "run.json", failed)) return Json::object();
  Json record = RunFolder::read_untrusted(cell);
  if (!RunFolder::is_whole(record)) RunFolder::read_record(cell);  // says so
  return record;
}

class SweepJob : public Job {
 public:
  SweepJob(SweepPlan plan, const JobContext& context)
      : plan_(std::move(plan)), cells_(cells_of(plan_.options)), memory_(context.run.memory.count) {
    const std::int64_t threads = context.run.threads > 0 ? context.run.threads : usable_cores();
    most_ = static_cast<std::size_t>(std::max<std::int64_t>(1, threads));
  }
  ~SweepJob() override { stop(); }

  std::int64_t steps() const override { return static_cast<std::int64_t>(cells_.size()); }
  const char* value_name() const override { return "metric"; }
  void begin(RunFolder& folder, bool) override {
    action_ = folder.record().value("action", "");
    folder_ = fs::absolute(folder.path()).lexically_normal();  // cells work elsewhere
    fs::create_directories(folder_ / "cells");
  }
  // A line a cell, and nothing that another machine or day changes: how it ended, and the hash of what it ended with.
  void state(State& state, std::int64_t) override {
    state.text("cells", ended_lines_);
    if (state.is_restored()) rows_.clear();
  }
  StepResult step(std::int64_t index) override;
  Json evaluate(std::int64_t step, Figures& figures) override {
    if (step > 0) draw_rows(rows(), plan_.options, column(), figures);
    return nullptr;
  }
  Finished finish(Ending& ending) override;
  std::uint64_t growth_bytes(std::int64_t steps) const override { return static_cast<std::uint64_t>(steps) * 128; }

 private:
  // What a cell is given as --out, and its run's folder.
  fs::path out_of(std::size_t index) const { return folder_ / cell_name(index, cells_[index]); }
  fs::path path_of(std::size_t index) const { return folder_ / run_name(index); }
  std::string run_name(std::size_t index) const {
    return cell_name(index, cells_[index]).append(plan_.action.action->run_end);
  }
  const std::vector<Json>& rows();
  std::string column();
  bool has_ended(std::size_t index);
  void start(std::size_t index);
  void end(std::size_t index, int status);
  void stop();
  [[noreturn]] void interrupted();

  const SweepPlan plan_;
  const std::vector<Cell> cells_;
  const std::uint64_t memory_;
  std::size_t most_ = 1, next_ = 0;
  std::string action_;
  fs::path folder_;
  std::map<std::size_t, pid_t> running_;
  std::map<std::size_t, std::string> ended_;  // status
  std::string ended_lines_;                   // of the steps taken
  std::vector<Json> rows_;                    // the same, as far as they have been read
};

const std::vector<Json>& SweepJob::rows() {
  std::istringstream lines(ended_lines_);
  std::string line;
  for (std::size_t i = 0; std::getline(lines, line); ++i) {
    if (i < rows_.size()) continue;
    const std::string status = line.substr(0, line.find(' ')), name = run_name(i);
    const Json record = record_of(path_of(i));
    rows_.push_back(
        row_of(cells_[i], status, status == "done" ? record.value("results", Json::object()) : Json::object(), name));
  }
  return rows_;
}

std::string SweepJob::column() {
  return drawn_column(rows(), plan_.metric, cell_settings(plan_, cells_.front(), folder_.string()));
}

bool SweepJob::has_ended(std::size_t index) {
  if (running_.contains(index)) return false;
  if (ended_.contains(index)) return true;
  const std::string status = record_of(path_of(index)).value("status", "");
  // One that is done and was killed before its page was there goes on to write it.
  const bool is_done = status == "done" && fs::exists(path_of(index) / "report.html");
  if (is_done || status == "diverged") ended_[index] = status;
  return ended_.contains(index);
}

void SweepJob::start(std::size_t index) {
  const fs::path cell = path_of(index);
  wait_until_free(cell);
  if (has_ended(index)) return;
  CellCommand command{.words = {}, .unset = {}, .folder = plan_.folder, .said = cell.string() + ".out"};
  std::istringstream verb(plan_.action.name());
  for (std::string word; verb >> word;) command.words.push_back(word);
  const Settings settings = cell_settings(plan_, cells_[index], out_of(index).string());
  if (record_of(cell).empty()) {
    Json given = Json::object();
    for (const FieldInfo& info : settings.fields()) {
      const std::string name(info.field.name);
      if (settings.is_given(name) && name != "out") given[name] = settings.at(name).value;
    }
    const std::string file = cell.string() + ".toml";
    write_file(file, settings_file_text(given));
    command.words.insert(command.words.end(), {"--config", file, "--out", out_of(index).string()});
  } else {
    command.words.insert(command.words.end(), {"--resume", cell.string()});
  }
  const bool is_memory_swept =
      std::any_of(cells_[index].begin(), cells_[index].end(), [](const auto& each) { return each.first == "memory"; });
  if (!is_memory_swept && memory_ > 0)  // which may be another than the sweep began with
    command.words.insert(command.words.end(), {"--memory", std::to_string(memory_)});
  command.words.insert(command.words.end(), {"--json", "--quiet"});
  for (const GivenValue& value : environment_of(*plan_.action.action))
    command.unset.push_back(variable_name(value.name));
  running_[index] = start_cell(command);
}

// Settings, input or a budget that one cell is refused for end the sweep: they are wrong for others, too. A cell that
// diverged has ended; one that broke off is in the table as failed, and what it said stays in its .out.
void SweepJob::end(std::size_t index, int status) {
  running_.erase(index);
  const fs::path cell = path_of(index);
  const std::string said = cell.string() + ".out";
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const bool is_done = code == 0 && record_of(cell).value("status", "") == "done";
  if (is_done || code == static_cast<int>(Exit::diverged)) {
    ended_[index] = is_done ? "done" : "diverged";
    std::error_code ignored;
    for (const char* with : {".out", ".toml"}) fs::remove(cell.string() + with, ignored);
    return;
  }
  const bool is_stopped = WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM);
  if (is_interrupted() || is_stopped || code == static_cast<int>(Exit::interrupted)) {
    interrupted();
  }
  const Json line = json_of(read_file(said).substr(0, 1 << 16));
  const std::string why = line.is_object() && line.contains("error") ? line["error"].get<std::string>() : "";
  const std::string what = "the run " + cell.string() + " failed" + (why.empty() ? "" : ": " + why);
  if (code < static_cast<int>(Exit::usage) || code > static_cast<int>(Exit::budget)) {
    warn(what + "; see " + said);
    ended_[index] = "failed";
    return;
  }
  stop();
  throw Error(static_cast<Exit>(code), what,
              line.is_object() && line.contains("fix") ? line["fix"].get<std::string>() : "see " + said);
}

void SweepJob::stop() {
  for (const auto& [index, pid] : running_) ::kill(pid, SIGINT);
  for (const auto& [index, pid] : running_) ::waitpid(pid, nullptr, 0);
  running_.clear();
}

void SweepJob::interrupted() {
  stop();
  throw Error(Exit::interrupted, "interrupted; the runs that had begun have saved",
              "frugal " + action_ + " --resume " + folder_.string() + " goes on");
}

StepResult SweepJob::step(std::int64_t index) {
  const auto wanted = static_cast<std::size_t>(index);
  next_ = std::max(next_, wanted);
  while (!has_ended(wanted)) {
    for (; running_.size() < most_ && next_ < cells_.size(); ++next_) {
      if (!has_ended(next_)) start(next_);
    }
    if (is_interrupted()) interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (const auto& [at, pid] : std::map(running_)) {
      int status = 0;
      if (::waitpid(pid, &status, WNOHANG) == pid) end(at, status);
    }
  }
  const Json record = record_of(path_of(wanted));
  const Json results = record.value("results", Json::object());
  const std::string& status = ended_.at(wanted);
  ended_lines_ +=
      status + " " + (status == "done" ? record.value("weights_sha256", results.value("state_sha256", "")) : "") + "\n";
  StepResult result;
  const Json& row = rows().back();
  if (const std::string name = column(); row.contains(name)) {
    result.value = row[name].get<double>();
    result.event[name] = row[name];
  }
  if (status != "done") result.event["status"] = status;
  return result;
}

Finished SweepJob::finish(Ending& ending) {
  draw_rows(rows(), plan_.options, column(), ending.figures);
  const fs::path table = ending.folder.path() / "sweep.csv";
  write_file(table, csv_of(rows()));
  Json results = {{"cells", cells_.size()}, {"table", table.string()}};
  for (const char* status : {"diverged", "failed"}) {
    const auto count =
        std::count_if(rows_.begin(), rows_.end(), [&](const Json& row) { return row["status"] == status; });
    if (count > 0) results[status] = count;
  }
  results["rows"] = rows();
  const bool is_any_done =
      std::any_of(rows_.begin(), rows_.end(), [](const Json& row) { return row["status"] == "done"; });
  if (!is_any_done)
    results.update({{"error", "none of the " + std::to_string(rows_.size()) + " runs ended well"},
                    {"fix", "see " + (ending.folder.path() / "cells").string() + "/*.out, and the runs beside them"},
                    {"exit", static_cast<int>(Exit::diverged)}});
  return {.results = results};
}

}  // namespace

std::string cell_name(std::size_t index, const Cell& cell) {
  char number[16];
  std::snprintf(number, sizeof number, "%04zu", index + 1);
  std::string name = number;
  for (const auto& [option, value] : cell) {
    name += "-" + option + "=";
    for (const char c : value.substr(0, 24)) name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '_';
  }
  return "cells/" + name.substr(0, 200);
}

Settings cell_settings(const SweepPlan& plan, const Cell& cell, const std::string& out) {
  std::vector<GivenValue> values = plan.given;
  for (const auto& [name, value] : cell) values.push_back({name, value, flag_name(name)});
  values.push_back({"threads", 1, flag_name("threads")});
  values.push_back({"out", out, flag_name("out")});
  return settings_of(plan.action, values);
}

std::unique_ptr<Job> make_sweep_job(SweepPlan plan, const JobContext& context) {
  return std::make_unique<SweepJob>(std::move(plan), context);
}

}  // namespace frugal
