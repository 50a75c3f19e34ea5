// The steps of a run, and how it ends.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/train/loop/loop_run.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr int kMostSkipped = 20;  // steps in a row without a finite value

}  // namespace

// A judge's metric decides which step is the best; ties go to the lower loss, then to the earlier step. Behind a step
// that was not finite the state may be broken, however well it scores.
bool Loop::offer(const Json& evaluation, std::int64_t step) {
  if (skipped_in_a_row_ > 0) return false;
  const std::optional<Judge> judge = job_.judge();
  if (!judge || !evaluation.contains(judge->name) || !evaluation[judge->name].is_number()) return false;
  const double value = evaluation[judge->name].get<double>();
  if (!std::isfinite(value)) return false;  // as it is on record: null
  return best_.offer(step, judge->is_higher_better ? value : -value, evaluation.value("loss", 0.0));
}

void Loop::count(bool is_skipped, double value) {
  skipped_ += is_skipped;
  skipped_in_a_row_ = is_skipped ? skipped_in_a_row_ + 1 : 0;
  if (!is_skipped && !std::isnan(value)) mean_ = std::isnan(mean_) ? value : 0.9 * mean_ + 0.1 * value;
}

int Loop::steps(RunFolder& folder, std::optional<TrajectoryWriter> log, std::int64_t first) {
  const std::int64_t checkpoint_every = run_.checkpoint_every;
  const std::int64_t eval_every = run_.eval_every > 0 ? run_.eval_every : checkpoint_every;
  EventLog events(folder.events(), static_cast<std::uint64_t>(first), folder.has_checksums(),
                  RunFolder::chain_start(folder.record()));
  SnapshotStore snapshots(folder.snapshots(), static_cast<std::size_t>(run_.keep));
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
    say(job_.step_unit().text(done) + ": " + event["data"].get<std::string>() + job_.shown(found));
  };
  job_.started(folder);
  try {
    // A run stopped between a step and its evaluation evaluates now.
    if (first % eval_every == 0 || first == job_.steps()) evaluate(first);
    for (std::int64_t step = first; step < job_.steps() && !has_settled(); ++step) {
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
        say("stopped after " + job_.step_unit().text(taken) + "; go on with: frugal " + action_ + " --resume " +
            folder.path().string());
        return static_cast<int>(Exit::interrupted);
      }
      guard_.check("a step");
      const bool is_last = taken == job_.steps();
      if (taken % eval_every == 0 || is_last) evaluate(taken);
      const double unsaved = std::chrono::duration<double>(Clock::now() - saved).count();
      if (taken % checkpoint_every == 0 || is_last || has_settled() || unsaved > job_.snapshot_seconds()) save(taken);
    }
    return finish(folder, events, taken);
  } catch (const Error& error) {
    if (log) log->sync();
    if (is_whole && (error.code() == Exit::budget || error.code() == Exit::interrupted)) save(taken);
    folder.set_status(error.code() == Exit::diverged ? RunStatus::diverged : RunStatus::interrupted);
    if (error.code() == Exit::interrupted)
      throw Error(Exit::interrupted, "interrupted after " + job_.step_unit().text(taken),
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

int Loop::finish(RunFolder& folder, EventLog& events, std::int64_t steps) {
  Ending ending{.steps = steps,
                .skipped = skipped_,
                .mean_value = mean_,
                .seconds = elapsed(),
                .best = {},
                .restore = [&](std::int64_t step) { put_back(folder, step); },
                .folder = folder,
                .figures = figures_};
  Json results = {{"steps", steps}, {"skipped", skipped_}, {"seconds", ending.seconds}};
  if (steps < job_.steps()) {
    results["stopped_early"] = true;
    say("no evaluation since " + job_.step_unit().text(best_.step) + " was better: the run ends after " +
        job_.step_unit().text(steps));
  }
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

}  // namespace frugal
