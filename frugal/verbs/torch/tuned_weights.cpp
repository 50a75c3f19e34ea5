#include "frugal/verbs/torch/tuned_weights.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/train/loop/job.h"
#include "frugal/train/parametrisation/low_rank.h"
#include "frugal/train/parametrisation/selected_rows.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/verbs/torch/base_record.h"
#include "frugal/verbs/torch/session.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// The step whose weights are used: the one asked for, the best of the run, or the last.
// Error(Exit::input): the record names a best step that the run has not.
std::int64_t chosen_step(std::int64_t asked, const Json& record, std::int64_t steps) {
  if (asked > steps) {
    throw Error(Exit::usage, "--step is " + std::to_string(asked) + ", the run has " + std::to_string(steps) + " steps",
                "give a step from 0 to " + std::to_string(steps));
  }
  if (asked >= 0) return asked;
  const Json results = record.value("results", Json::object());
  if (!results.is_object() || !results.contains("best")) return steps;
  const Json best = results["best"].is_object() ? results["best"].value("step", Json()) : Json();
  const std::int64_t step = best.is_number_integer() ? best.get<std::int64_t>() : -1;
  if (step >= 0 && step <= steps) return step;
  throw Error(Exit::input,
              "the run's record says that step " + best.dump() + " is the best, but " + std::to_string(steps) +
                  " steps are whole",
              "the run's folder is damaged; copy it again, or give --step 0 to " + std::to_string(steps));
}

// Steps of a run that does not replay: as it ended, or of its newest snapshot.
std::int64_t last_step(const fs::path& run, const Json& record) {
  const auto kept = SnapshotStore(run / "snapshots").steps();
  return record.value("results", Json::object())
      .value("steps", kept.empty() ? std::int64_t{0} : static_cast<std::int64_t>(kept.back()));
}

// The steps of a log that are whole; a warning where others lie behind them.
Trajectory whole_steps(const fs::path& log) {
  Trajectory trajectory = read_trajectory(log);
  if (trajectory.bad_bytes > 0) {
    warn(std::to_string(trajectory.bad_bytes) + " damaged bytes behind step " +
         std::to_string(trajectory.steps.size()) + " of " + log.string() + " are left out");
  }
  return trajectory;
}

std::unique_ptr<Parametrisation> parts_of(const fs::path& adapter, const WeightStore& store) {
  if (is_rows_adapter(adapter)) return std::make_unique<SelectedRows>(store, read_rows_adapter(adapter, store.shape()));
  return std::make_unique<LowRankPairs>(store, read_peft_adapter(adapter, store.shape()), 0, 0);
}

std::string base_of(const Json& record) { return record.value("base", Json::object()).value("sha256", ""); }

// A log of steps repeats on the very weights that it was made on. Pairs and rows may lie over the same model in another
// type, of which its metadata tell as much as can be known without reading all of it.
void require_same_base(Session& session, const Json& record, const Trajectory* trajectory) {
  const std::string trained = trajectory != nullptr ? trajectory->header.value("weights", std::string("bf16"))
                                                    : record["settings"].value("weights", std::string("bf16"));
  if (trajectory == nullptr && session.weights != parse_weight_type(trained))
    return require_metadata(record, "base", *session.source);
  const std::string base = base_sha256(session);
  if (trajectory != nullptr) return trajectory->require_base(base);
  if (const std::string expected = base_of(record); base != expected) {
    throw Error(Exit::input,
                "the model's weights have sha256 " + base.substr(0, 12) + "..., the run began with " +
                    expected.substr(0, 12) + "...",
                "give the model the run was made from");
  }
}

}  // namespace

TunedWeights::TunedWeights(Session& session, const fs::path& from, std::int64_t step) {
  if (is_rows_adapter(from) || is_peft_adapter(from)) {
    parts_ = parts_of(from, session.store);
    return;
  }
  const bool is_folder = fs::is_directory(from);
  if (is_folder) record_ = record_of_tuning(from);
  const fs::path log = is_folder ? from / "trajectory.bin" : from;
  if (!is_folder || fs::exists(log)) trajectory_ = std::make_unique<Trajectory>(whole_steps(log));
  steps_ = trajectory_ ? static_cast<std::int64_t>(trajectory_->steps.size()) : last_step(from, record_);
  step_ = chosen_step(step, record_, steps_);
  require_same_base(session, record_, trajectory_.get());
  TunerRegistry tuners;
  register_tuners(tuners);
  chosen_ = record_.value("chosen", Json());
  const Json settings = record_.value("settings", Json::object());
  TunerContext context{session.store, session.threads, nullptr, chosen_, run_settings(settings)};
  const std::string method = settings.value("method", "");
  // A log of steps alone says what its engine was; beside a record it must be what the record leads to.
  tuner_ = is_folder ? tuners.at(method)(settings, context) : tuners.replay_of(method)(trajectory_->header, context);
  if (is_folder && trajectory_) trajectory_->require_header(json_of(tuner_->trajectory_header().dump()));
  if (is_folder && !trajectory_ && tuner_->record_size() > 0 && step_ > 0)
    throw Error(Exit::input, (from / "trajectory.bin").string() + ", the log of the run's steps, is not there",
                "copy the run again");
  reach(from);
  if (const std::string expected = record_.value("weights_sha256", "");
      step_ == steps_ && !expected.empty() && expected != sha256()) {
    throw Error(Exit::input,
                "the run's weights have sha256 " + sha256().substr(0, 12) + "..., it ended with " +
                    expected.substr(0, 12) + "...",
                "the run's folder is damaged; copy it again, or tune again");
  }
}

TunedWeights::~TunedWeights() = default;

const std::string& TunedWeights::sha256() const {
  if (sha256_.empty()) sha256_ = weights_sha256(tuner_ ? tuner_->result() : parts_->state());
  return sha256_;
}

// The run's weights after step_ steps: replayed from its log, or read from the snapshot of that step.
void TunedWeights::reach(const fs::path& run) {
  if (!trajectory_) {
    if (step_ == 0) return;
    const SnapshotStore snapshots(run / "snapshots");
    const auto at = static_cast<std::uint64_t>(step_);
    if (!fs::exists(snapshots.path_of(at))) {
      std::string there;
      for (const std::uint64_t known : snapshots.steps()) there += (there.empty() ? "" : ", ") + std::to_string(known);
      throw Error(Exit::input, "the run has no snapshot of step " + std::to_string(step_),
                  there.empty() ? "this method does not replay and has kept no snapshot: tune again"
                                : "this method does not replay; give --step with one of " + there);
    }
    const SnapshotInfo found = read_snapshot(snapshots.path_of(at), tuner_->state(at));
    const auto known = settings_of_legs(record_.value("action", "tune"), record_);
    const bool is_of_run = found.settings_sha256.empty() || record_.value("trusted", false) ||
                           std::find(known.begin(), known.end(), found.settings_sha256) != known.end();
    if (found.step != at || !is_of_run || found.base_sha256 != base_of(record_))
      throw Error(Exit::input, snapshots.path_of(at).string() + " belongs to another run or step",
                  "copy the run again");
    return;
  }
  Progress progress(static_cast<std::uint64_t>(step_), "steps");
  for (std::int64_t i = 0; i < step_; ++i) {
    throw_if_interrupted();
    const StepRecord& at = trajectory_->steps[static_cast<std::size_t>(i)];
    if (!at.skipped) tuner_->replay(at.step, static_cast<double>(at.lr), at.gradients);
    progress.update(static_cast<std::uint64_t>(i) + 1);
  }
}

void TunedWeights::merged_rows(std::size_t id, std::int64_t begin, std::int64_t end, float* out) const {
  if (tuner_)
    tuner_->merged_rows(id, begin, end, out);
  else
    parts_->merged_rows(id, begin, end, out);
}

std::string weights_of_run(const fs::path& from) {
  if (is_rows_adapter(from) || is_peft_adapter(from)) return "stored";
  if (!fs::is_directory(from)) return read_trajectory(from).header.value("weights", std::string("bf16"));
  const fs::path log = from / "trajectory.bin";
  const Json of = fs::exists(log) ? read_trajectory(log).header : RunFolder::read_record(from)["settings"];
  return of.value("weights", std::string("bf16"));
}

}  // namespace frugal
