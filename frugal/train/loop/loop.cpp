#include "frugal/train/loop/loop.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/core/budget/guard.h"
#include "frugal/train/run/best.h"
#include "frugal/train/run/resume.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kMostSkipped = 20;  // steps in a row without a finite value

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

// "step 50", "round 5000", "epoch 2.5"
std::string place(const StepUnit& unit, std::int64_t steps) {
  char text[40];
  std::snprintf(text, sizeof text, " %.10g", unit.at(steps));
  return unit.name + text;
}

class Loop {
 public:
  // floor_bytes: the peak before anything was made.
  Loop(Job& job, const RunRequest& request, Json settings, const RunConfig& run, Clock::time_point began,
       std::uint64_t floor_bytes)
      : job_(job),
        action_(request.action),
        facts_(request.facts),
        settings_(std::move(settings)),
        run_(run),
        began_(began),
        floor_bytes_(floor_bytes),
        guard_(run.memory, job.budget_fix()) {}

  int start(const fs::path& out);
  int resume(RunFolder folder);

 private:
  void identify();
  SnapshotInfo info(std::int64_t step) const {
    return {static_cast<std::uint64_t>(step), job_.snapshot_type(), identity_, settings_sha256_};
  }
  double elapsed() const { return seconds_before_ + seconds_since(began_); }
  TrajectoryWriter new_log(const RunFolder& folder) const {
    return TrajectoryWriter::create(folder.trajectory(), job_.replay()->header(),
                                    static_cast<std::uint32_t>(job_.replay()->record_size()));
  }
  void restore(const fs::path& snapshot, std::int64_t step);
  void take(const std::vector<Json>& events, std::int64_t taken);
  bool offer(const Json& evaluation, std::int64_t step);
  int steps(RunFolder& folder, std::optional<TrajectoryWriter> log, std::int64_t first);
  void count(bool is_skipped, double value);
  int finish(RunFolder& folder, EventLog& events);
  void put_back(const RunFolder& folder, std::int64_t step);

  Job& job_;
  const std::string action_;
  const Json facts_;
  Json settings_;
  const RunConfig run_;
  const Clock::time_point began_;
  const std::uint64_t floor_bytes_;
  BudgetGuard guard_;
  std::string identity_, settings_sha256_;
  Figures figures_;
  BestEvaluation best_;
  std::int64_t evaluated_ = -1;  // steps taken at the last evaluation
  double seconds_before_ = 0;
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;  // steps of all processes
  double mean_ = NAN;                                // of the steps' values, the last ones most
};

// The run's name for what it began with, the job's own or its settings, and what its settings are.
void Loop::identify() {
  settings_sha256_ = settings_sha256(action_, settings_);
  identity_ = job_.identity();
  if (identity_.empty()) identity_ = settings_sha256_;
}

void Loop::restore(const fs::path& snapshot, std::int64_t step) {
  State state(snapshot_sizes(snapshot));
  job_.state(state, step);
  read_snapshot(snapshot, state.parts());
}

// A judge's metric decides which step is the best; ties go to the lower loss, then to the earlier step. Behind a step
// that was not finite the state may be broken, however well it scores.
bool Loop::offer(const Json& evaluation, std::int64_t step) {
  if (skipped_in_a_row_ > 0) return false;
  const std::optional<Judge> judge = job_.judge();
  if (!judge || !evaluation.contains(judge->name) || !evaluation[judge->name].is_number()) return false;
  const double value = evaluation[judge->name].get<double>();
  return best_.offer(step, judge->is_higher_better ? value : -value, evaluation.value("loss", 0.0));
}

int Loop::start(const fs::path& out) {
  {
    State state;
    job_.state(state, 0);
    require_free_space(out, most_snapshot_bytes(snapshot_bytes(state.parts()) + job_.growth_bytes(job_.steps())));
  }
  const Json own = job_.describe(settings_);
  identify();
  for (const char* of_process : {"out", "resume", "trust_damaged"}) settings_.erase(of_process);
  Json description = {{"action", action_}, {"settings", settings_}};
  if (const StepUnit unit = job_.step_unit(); unit.name != StepUnit().name)
    description["step_unit"] = {{"name", unit.name}, {"each", unit.each}, {"per", unit.per}, {"last", unit.last}};
  description.update(own);
  description.update(facts_);
  RunFolder folder = RunFolder::create(out, description);
  job_.begin(folder, false);
  std::optional<TrajectoryWriter> log;
  if (job_.replay() != nullptr) log.emplace(new_log(folder));
  folder.keep();
  return steps(folder, std::move(log), 0);
}

void Loop::take(const std::vector<Json>& events, std::int64_t taken) {
  for (const Json& event : events) {
    if (event.value("step", std::int64_t{0}) > taken) break;
    if (event.value("event", "") == "eval") {
      evaluated_ = event["step"].get<std::int64_t>();
      offer(event, evaluated_);
    }
    if (event.value("event", "") != "step") continue;
    seconds_before_ = event.value("seconds", seconds_before_);
    const auto value = event.find(job_.value_name());
    count(event.value("skipped", false), value != event.end() && value->is_number() ? value->get<double>() : NAN);
  }
}

void Loop::count(bool is_skipped, double value) {
  skipped_ += is_skipped;
  skipped_in_a_row_ = is_skipped ? skipped_in_a_row_ + 1 : 0;
  if (!is_skipped && !std::isnan(value)) mean_ = std::isnan(mean_) ? value : 0.9 * mean_ + 0.1 * value;
}

int Loop::resume(RunFolder folder) {
  identify();
  const std::string expected_settings = run_.trust_damaged ? "" : settings_sha256_;
  if (folder.record().contains("base")) folder.require_base(identity_);
  RunFolder::require_files(folder.record());
  job_.begin(folder, true);
  SnapshotStore snapshots(folder.snapshots());
  std::optional<TrajectoryWriter> log;
  ReadEvents read = read_events(folder.events(), folder.has_checksums());
  std::int64_t taken = 0, restored = 0;
  Replay* const replay = job_.replay();
  if (replay == nullptr) {
    const FoundSnapshot found =
        find_snapshot(snapshots, {identity_, expected_settings}, static_cast<std::uint64_t>(job_.steps()));
    for (const std::string& text : found.notes) warn(text);
    taken = static_cast<std::int64_t>(found.step);
    if (found.path.empty())  // all is done again, what was evaluated before the first step, too
      fs::remove(folder.events()), read = {};
    else
      restore(found.path, restored = taken);
  } else if (!fs::exists(folder.trajectory())) {  // killed before the first step
    log.emplace(new_log(folder));
  } else {
    const ResumePoint point = find_resume_point(folder.trajectory(), snapshots, expected_settings, &read);
    for (const std::string& text : point.notes) warn(text);
    point.trajectory.require_base(identity_);
    point.trajectory.require_header(json_of(replay->header().dump()));  // numbers as a file has them
    taken = static_cast<std::int64_t>(point.steps());
    restored = static_cast<std::int64_t>(point.snapshot_step);
    if (restored > 0) restore(point.snapshot, restored);
    for (const StepRecord& record : point.replay()) {
      if (!record.skipped) replay->replay(record);
    }
    log.emplace(TrajectoryWriter::resume(folder.trajectory(), point.trajectory, point.steps()));
  }
  snapshots.forget_after(static_cast<std::uint64_t>(taken));
  require_events(read, folder, taken, restored, run_.trust_damaged ? Damage::trusted : Damage::refused);
  take(read.events, taken);
  if (run_.trust_damaged && taken > 0) {  // what is believed from now on is in a snapshot, too
    if (best_.step >= 0) snapshots.protect(static_cast<std::uint64_t>(best_.step));
    State state;
    job_.state(state, taken);
    snapshots.write(info(taken), state.parts());
  }
  folder.set_status(RunStatus::running);
  const std::string all = place(job_.step_unit(), job_.steps());
  say("going on after " + place(job_.step_unit(), taken) + " of" + all.substr(all.rfind(' ')));
  return steps(folder, std::move(log), taken);
}

int Loop::steps(RunFolder& folder, std::optional<TrajectoryWriter> log, std::int64_t first) {
  const std::int64_t checkpoint_every = run_.checkpoint_every;
  const std::int64_t eval_every = run_.eval_every > 0 ? run_.eval_every : checkpoint_every;
  EventLog events(folder.events(), static_cast<std::uint64_t>(first), folder.has_checksums());
  SnapshotStore snapshots(folder.snapshots());
  if (!log && best_.step >= 0) snapshots.protect(static_cast<std::uint64_t>(best_.step));
  Progress progress(static_cast<std::uint64_t>(job_.steps()), "it", static_cast<std::uint64_t>(first));
  std::int64_t taken = first;
  bool is_whole = true;  // the state is that after `taken` steps
  Clock::time_point saved = Clock::now();
  const auto append_figures = [&](std::int64_t done) {
    for (Json& figure : figures_.take()) {
      figure["step"] = done;
      events.append(figure);
    }
  };
  const auto save = [&](std::int64_t done) {
    folder.require_there();
    job_.require_inputs();
    if (log) log->sync();
    events.sync();
    saved = Clock::now();
    const bool is_base = done == 0 && (log || job_.restarts());
    if (is_base || fs::exists(snapshots.path_of(static_cast<std::uint64_t>(done)))) return;
    State state;
    job_.state(state, done);
    snapshots.write(info(done), state.parts());
  };
  const auto evaluate = [&](std::int64_t done) {
    if (done <= evaluated_) return;
    const Json found = job_.evaluate(done, figures_);
    append_figures(done);
    if (found.is_null()) return;
    Json event = {{"event", "eval"}, {"step", done}, {"data", found.value("data", "dev")}, {"seconds", elapsed()}};
    event.update(found);
    // A state that cannot be replayed is kept when it is the best, before the evaluation is on record.
    if (offer(event, done) && !log) {
      snapshots.protect(static_cast<std::uint64_t>(done));
      save(done);
    }
    evaluated_ = done;
    events.append(event);
    say(place(job_.step_unit(), done) + ": " + event["data"].get<std::string>() + job_.shown(found));
  };
  job_.started();
  try {
    // A run stopped between a step and its evaluation evaluates now.
    if (first % eval_every == 0 || first == job_.steps()) evaluate(first);
    for (std::int64_t step = first; step < job_.steps(); ++step) {
      is_whole = false;
      StepResult result = job_.step(step);
      taken = step + 1;
      is_whole = true;
      if (log) log->append(result.record.value());
      Json event = {{"event", "step"}, {"step", taken}};
      event.update(result.event);
      event["seconds"] = elapsed();
      event.update(result.details);
      if (result.skipped) event["skipped"] = true;
      events.append(event);
      count(result.skipped, result.value);
      const bool ends_broken = taken == job_.steps() && taken > 1 && skipped_in_a_row_ >= taken - 1;
      if (skipped_in_a_row_ >= kMostSkipped || ends_broken) {
        save(taken);
        throw Error(Exit::diverged,
                    std::string("the ") + job_.value_name() + " was not finite in " +
                        std::to_string(skipped_in_a_row_) + " steps in a row",
                    job_.divergence_fix());
      }
      char more[120];
      std::snprintf(more, sizeof more, "%s %.4f  mem %s", job_.value_name(), mean_,
                    format_bytes(memory_usage().resident).c_str());
      progress.update(static_cast<std::uint64_t>(taken), more);
      if (is_interrupted()) {
        save(taken);
        folder.set_status(RunStatus::interrupted);
        say("stopped after " + place(job_.step_unit(), taken) + "; go on with: frugal " + action_ + " --resume " +
            folder.path().string());
        return static_cast<int>(Exit::interrupted);
      }
      guard_.check("a step");
      const bool is_last = taken == job_.steps();
      if (taken % eval_every == 0 || is_last) evaluate(taken);
      if (taken % checkpoint_every == 0 || is_last || seconds_since(saved) > job_.snapshot_seconds()) save(taken);
    }
    return finish(folder, events);
  } catch (const Error& error) {
    if (log) log->sync();
    if (is_whole && (error.code() == Exit::budget || error.code() == Exit::interrupted)) save(taken);
    folder.set_status(error.code() == Exit::diverged ? RunStatus::diverged : RunStatus::interrupted);
    if (error.code() == Exit::interrupted)
      throw Error(Exit::interrupted, "interrupted after " + place(job_.step_unit(), taken),
                  "go on with: frugal " + action_ + " --resume " + folder.path().string());
    throw;
  } catch (...) {
    folder.set_status(RunStatus::interrupted);
    throw;
  }
}

// The state after `step` steps.
void Loop::put_back(const RunFolder& folder, std::int64_t step) {
  if (Replay* const replay = job_.replay()) {
    job_.restart();
    for (const StepRecord& record : read_trajectory(folder.trajectory()).steps) {
      if (static_cast<std::int64_t>(record.step) < step && !record.skipped) replay->replay(record);
    }
    return;
  }
  if (step == 0 && job_.restarts()) return job_.restart();
  restore(SnapshotStore(folder.snapshots()).path_of(static_cast<std::uint64_t>(step)), step);
}

int Loop::finish(RunFolder& folder, EventLog& events) {
  const std::int64_t steps = job_.steps();
  Ending ending{.steps = steps,
                .skipped = skipped_,
                .mean_value = mean_,
                .seconds = elapsed(),
                .best = {},
                .restore = [&](std::int64_t step) { put_back(folder, step); },
                .folder = folder,
                .figures = figures_};
  Json results = {{"steps", steps}, {"skipped", skipped_}, {"seconds", ending.seconds}};
  if (const std::optional<Judge> judge = job_.judge(); judge && best_.step >= 0) {
    ending.best = BestStep{best_.step, judge->is_higher_better ? best_.metric : -best_.metric, best_.loss, judge->name};
    results["best"] = {
        {"step", best_.step}, {"metric", ending.best->metric}, {"metric_name", judge->name}, {"loss", best_.loss}};
  }
  std::string state_sha256;
  if (job_.snapshot_type().empty()) {
    State state;
    job_.state(state, steps);
    state_sha256 = weights_sha256(state.parts());
  }
  const Finished finished = job_.finish(ending);
  job_.require_inputs();
  for (Json& figure : figures_.take()) {
    figure["step"] = steps;
    events.append(figure);
  }
  events.sync();
  results.update(finished.results);
  results["peak_rss_bytes"] = memory_usage().peak;
  results["floor_rss_bytes"] = floor_bytes_;
  if (!state_sha256.empty()) results["state_sha256"] = state_sha256;
  folder.finish(RunStatus::done, results, finished.weights_sha256);
  if (run_.json) {
    Json line = {{"run", folder.path().string()}};
    line.update(results);
    if (!finished.weights_sha256.empty()) line["weights_sha256"] = finished.weights_sha256;
    std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    std::cout << job_.closing(results, folder) << std::flush;
  }
  return 0;
}

}  // namespace

int run_job(const JobTable::MakeJob& make, const RunRequest& request) {
  const Clock::time_point began = Clock::now();
  const std::uint64_t floor_bytes = memory_usage().peak;
  const auto of_process = from_json<RunConfig>(request.settings);
  if (of_process.resume.empty()) {
    const auto job = make(request.settings, {of_process, nullptr, request.facts});
    return Loop(*job, request, request.settings, of_process, began, floor_bytes).start(of_process.out);
  }
  RunFolder folder = RunFolder::resume(of_process.resume, of_process.trust_damaged ? Damage::trusted : Damage::refused);
  const std::string action = folder.record().value("action", "tune");  // runs of before there were others
  if (action != request.action) {
    throw Error(Exit::usage, of_process.resume + " is a run of frugal " + action + ", not of " + request.action,
                "frugal " + action + " --resume " + of_process.resume);
  }
  if (folder.record().value("status", "") == "done") {
    if (!RunFolder::is_whole(folder.record())) folder.set("status", name(RunStatus::done));  // it is believed now
    require_model(folder);
    say("the run is done; frugal report " + of_process.resume + " draws it");
    if (of_process.json) std::cout << folder.record().dump() << std::endl;
    return 0;
  }
  Json settings = folder.record()["settings"];
  for (const auto& [name, value] : request.settings.items()) {
    if (name != "resume") settings[name] = value;
  }
  const auto run = from_json<RunConfig>(settings);
  const Json record = folder.record();
  const auto job = make(settings, {run, &record});
  return Loop(*job, request, settings, run, began, floor_bytes).resume(std::move(folder));
}

std::uint64_t measure_job(const JobTable::MakeJob& make, const RunRequest& request) {
  const auto job = make(request.settings, {from_json<RunConfig>(request.settings), nullptr, request.facts});
  Figures figures;
  for (std::int64_t step = 0; step < std::min<std::int64_t>(2, job->steps()); ++step) job->step(step);
  job->evaluate(std::min<std::int64_t>(2, job->steps()), figures);
  return memory_usage().peak + job->growth_bytes(job->steps());
}

}  // namespace frugal
