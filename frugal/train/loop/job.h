// What the loop knows of anything that runs: numbered steps over a state that can be saved.
//
// A job that is restored at step k and goes on takes the same steps, to the bit, as one that was never stopped: its
// steps depend on its state, its settings and the step's number alone.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/loop/run_config.h"
#include "frugal/train/loop/state.h"
#include "frugal/train/run/figures.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/trajectory.h"

namespace frugal {

struct StepResult {
  double value = NAN;                     // what progress shows, see Job::value_name
  bool skipped = false;                   // it was not finite, and nothing was changed; 20 in a row end the run
  Json event = Json::object();            // of the step's line in events.jsonl, beside step and seconds
  Json details = Json::object();          // the same, behind them
  std::optional<StepRecord> record = {};  // of a job that replays
};

// What a reader counts instead of steps, where a job cuts them by itself: k steps are k * each / per of `name`, at most
// `last` where that is not 0.
struct StepUnit {
  std::string name = "step";
  std::int64_t each = 1, per = 1, last = 0;
  double at(std::int64_t steps) const {
    const double count = static_cast<double>(steps) * static_cast<double>(each) / static_cast<double>(per);
    return last > 0 ? std::min(count, static_cast<double>(last)) : count;
  }
  std::string text(std::int64_t steps) const;  // "step 50", "round 5000", "epoch 2.5"
};

// Which number of an evaluation says that a step is better than another.
struct Judge {
  std::string name;
  bool is_higher_better = true;
};

struct BestStep {
  std::int64_t step = 0;
  double metric = 0, loss = 0;  // loss: of the same evaluation, 0 where it has none
  std::string metric_name;
};

// How a run ends.
struct Ending {
  std::int64_t steps = 0, skipped = 0;
  double mean_value = NAN;  // of the last steps
  double seconds = 0;       // of all processes
  std::optional<BestStep> best;
  std::function<void(std::int64_t step)> restore;  // puts back the state after the best step, or after the last
  const RunFolder& folder;
  Figures& figures;
};

struct Finished {
  Json results = Json::object();    // for run.json, beside what the loop knows
  std::string weights_sha256 = {};  // of a job whose result is weights
};

// Of a job whose steps repeat from a few numbers: a run is then a log of them, and snapshots only save time.
class Replay {
 public:
  virtual ~Replay() = default;
  virtual std::size_t record_size() const = 0;  // numbers a step
  virtual Json header() const = 0;              // all that replay needs beside the records and the start
  virtual void replay(const StepRecord& record) = 0;
};

class Job {
 public:
  virtual ~Job() = default;
  virtual std::int64_t steps() const = 0;
  virtual StepResult step(std::int64_t index) = 0;  // 0, 1, 2, .... May throw halfway: the last snapshot counts
  // Names every part of the state after `steps` steps. Parts stay where they are until the next call of any member.
  virtual void state(State& state, std::int64_t steps) = 0;
  // Numbers, and figures for the page, after `step` steps. Null: there is nothing to evaluate. "data" names what it is
  // on ("dev" by itself). Must not change what later steps do.
  virtual Json evaluate(std::int64_t, Figures&) { return nullptr; }
  virtual Finished finish(Ending& ending) = 0;
  // The state before the first step is put back by restart(); a job that cannot says so, and the loop keeps a snapshot
  // of it where it may be the best. A job that replays can.
  virtual bool restarts() const { return false; }
  virtual void restart() {}

  // ---- with an answer that serves most ----
  virtual const char* value_name() const { return "loss"; }
  virtual StepUnit step_unit() const { return {}; }          // of progress and page; goes to run.json
  virtual std::optional<Judge> judge() const { return {}; }  // of evaluate(); none: the last step is the best
  // The run ends after so many evaluations that were no better than an earlier one; 0: after its steps alone.
  virtual std::int64_t patience() const { return 0; }
  // For run.json beside the settings, which may be settled here (paths made absolute): {"files": {name: {"path",
  // "sha256"}}, ...}. Files are held against their hashes when a run goes on.
  virtual Json describe(Json& /*settings*/) { return Json::object(); }
  // Before the first step of this process, but not where two steps only measure memory; what is chosen once goes to the
  // folder's record and is read back from it.
  virtual void begin(RunFolder&, bool /*is_resumed*/) {}
  virtual void started(const RunFolder&) {}  // evaluations and steps follow
  // Before each snapshot and at the end. Error(Exit::input): what steps read was changed meanwhile.
  virtual void require_inputs() {}
  // What names the start of the run: a snapshot or log of another one is refused. Empty: the settings do.
  virtual std::string identity() { return {}; }
  // Of a job whose result are a model's weights, their type; the record then ends with their hash, and with that of the
  // whole state otherwise.
  virtual std::string snapshot_type() const { return {}; }
  virtual Replay* replay() { return nullptr; }
  virtual std::uint64_t growth_bytes(std::int64_t /*steps*/) const { return 0; }  // what the state grows by
  virtual double snapshot_seconds() const { return 60; }  // between snapshots at most; infinite: by steps alone
  virtual std::string budget_fix() const { return "give more --memory"; }
  virtual std::string divergence_fix() const { return "start again with a smaller step size"; }
  virtual std::string shown(const Json& evaluation) const;  // " accuracy 0.9100 loss 0.2345"
  // What is said at the end, on stdout; empty: the results, a line each.
  virtual std::string closing(const Json& results, const RunFolder&) const;
};

// SHA-256 of what decides a job's steps: its action, its settings, the seed. What is of a process, see RunConfig, is
// not in it.
std::string settings_sha256(const std::string& action, Json settings);

// Those of a run that is recorded: of its settings, and of those that its legs before had.
std::vector<std::string> settings_of_legs(const std::string& action, const Json& record);

// Error(Exit::input): the model that a finished run wrote beside itself is not there.
void require_model(const RunFolder& run);

// What a job is made from, beside its settings.
struct JobContext {
  RunConfig run;
  const Json* record = nullptr;  // run.json of the run that goes on; null: a new one
  Json facts = Json::object();   // what the check of a new run's settings found
};

}  // namespace frugal
