// frugal tune: the loop over steps, with everything around it that makes a run safe to stop at any time.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/base/sha256.h"
#include "frugal/core/budget/guard.h"
#include "frugal/data/batcher.h"
#include "frugal/train/loop/lr_race.h"
#include "frugal/train/loop/run_state.h"
#include "frugal/train/loop/schedule.h"
#include "frugal/train/run/best.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/resume.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/verbs/tune_data.h"
#include "frugal/verbs/tune_summary.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr int kMostSkipped = 20;  // steps in a row without a finite loss

class TuneRun {
 public:
  // settings: of the run, resolved; of this process: memory, threads, json, quiet. chosen: null, or what the run's
  // record has of it.
  TuneRun(const Json& settings, Json chosen)
      : settings_(settings),
        session_(settings),
        data_(settings, session_),
        chosen_(std::move(chosen)),
        guard_(Bytes{settings.value("memory", std::uint64_t{0})},
               "give more --memory, or a smaller --batch or --max-length; see frugal plan"),
        base_sha256_(base_sha256(session_)) {
    TunerRegistry tuners;
    register_tuners(tuners);
    TunerContext context{session_.store, session_.decoder, &data_.train(), chosen_};
    tuner_ = tuners.at(option(settings, "method"))(settings, context);
    batcher_ = std::make_unique<Batcher>(data_.train().classes(), setting("batch", 16), seed(),
                                         settings.value("balance", false));
    data_.set_guard([this] { guard_.check("judging examples"); });
    guard_.check("the model");
  }

  int start(const fs::path& out);
  int resume(RunFolder folder);

 private:
  bool replays() const { return tuner_->record_size() > 0; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(setting("seed", 1)); }
  std::int64_t setting(const char* name, std::int64_t fallback) const { return settings_.value(name, fallback); }
  std::vector<std::uint32_t> batch(std::int64_t step) const {
    return batcher_->batch(static_cast<std::uint64_t>(step));
  }
  SnapshotInfo info(std::uint64_t step) const { return {step, option(settings_, "weights"), base_sha256_}; }

  double choose_lr(RunFolder& folder);
  TrajectoryWriter new_trajectory(const RunFolder& folder) const;
  void require_data(const Json& recorded) const;
  void take_events(const RunFolder& folder, std::int64_t taken);
  bool offer(const Json& evaluation, std::int64_t step);
  int steps(RunFolder& folder, std::optional<TrajectoryWriter> trajectory, std::int64_t first);
  int finish(RunFolder& folder, std::int64_t skipped, double train_loss);
  void restore(const RunFolder& folder, std::int64_t step);

  Json settings_;
  Session session_;
  TuneData data_;
  Json chosen_;
  BudgetGuard guard_;
  std::string base_sha256_;
  std::unique_ptr<Tuner> tuner_;
  std::unique_ptr<Batcher> batcher_;
  BestEvaluation best_;
  std::int64_t evaluated_ = -1;  // steps taken at the last evaluation on dev
  double lr_ = 0, seconds_before_ = 0;
};

// The step size: as given, or by a race whose outcome is recorded and taken again on resume.
double TuneRun::choose_lr(RunFolder& folder) {
  const Json& record = folder.record();
  if (const auto race = record.find("lr_race"); race != record.end()) return (*race)["lr"].get<double>();
  if (settings_["lr"].is_number()) return settings_["lr"].get<double>();
  constexpr std::size_t kJudges = 48;
  std::vector<std::uint32_t> judges;
  for (std::int64_t i = 0; judges.size() < kJudges; ++i) {
    const auto part = batch(setting("steps", 0) + 1000 + i);  // batches that no step takes
    judges.insert(judges.end(), part.begin(), part.end());
  }
  const auto judge = [&] { return data_.train().loss_sums(tuner_->view(), judges)[0] / data_.train().terms(judges); };
  say("looking for a step size");
  const Json race = race_learning_rates(
      {.rates = tuner_->likely_rates()}, *tuner_,
      [&](std::int64_t step) { return batch(setting("steps", 0) + 2000 + step); }, judge);
  folder.set("lr_race", race);
  note("--lr auto chose " + race["lr"].dump());
  return race["lr"].get<double>();
}

TrajectoryWriter TuneRun::new_trajectory(const RunFolder& folder) const {
  Json header = tuner_->trajectory_header();
  header["base_sha256"] = base_sha256_;
  header["weights"] = settings_["weights"];
  return TrajectoryWriter::create(folder.trajectory(), header, static_cast<std::uint32_t>(tuner_->record_size()));
}

// The metric of the data decides which weights are best; whether more of it is better is the objective's to say.
bool TuneRun::offer(const Json& evaluation, std::int64_t step) {
  const Objective::Metric metric = data_.metric();
  const double value = evaluation[metric.name].get<double>();
  return best_.offer(step, metric.is_higher_better ? value : -value, evaluation["loss"].get<double>());
}

int TuneRun::start(const fs::path& out) {
  require_free_space(out, most_snapshot_bytes(snapshot_bytes(tuner_->state(0))));
  for (const char* file : {"model", "data", "dev", "test", "adapter"}) {  // a run goes on from any folder
    if (!option(settings_, file).empty())
      settings_[file] = fs::absolute(option(settings_, file)).lexically_normal().string();
  }
  Json files = data_.record();
  if (const std::string adapter = option(settings_, "adapter"); !adapter.empty()) {
    const auto parts = is_rows_adapter(adapter)
                           ? std::vector<std::string>{""}
                           : std::vector<std::string>{"adapter_config.json", "adapter_model.safetensors"};
    for (const std::string& part : parts) {
      const std::string path = part.empty() ? adapter : (fs::path(adapter) / part).string(),
                        name = part.empty() ? "adapter" : part;
      files[name] = {{"path", path}, {"sha256", sha256_file(path)}};
    }
  }
  if (const std::string mask = option(settings_, "mask"); mask.starts_with("file:")) {
    const std::string path = fs::absolute(mask.substr(5)).lexically_normal().string();
    settings_["mask"] = "file:" + path;
    files["mask"] = {{"path", path}, {"sha256", sha256_file(path)}};
  }
  const Json plan = settings_.value("plan", Json());
  settings_.erase("plan");
  settings_.erase("out");
  settings_.erase("resume");
  Json description = {
      {"settings", settings_},
      {"base", {{"path", settings_["model"]}, {"format", session_.source->format()}, {"sha256", base_sha256_}}},
      {"data", files["data"]},
      {"files", files}};
  if (!chosen_.is_null()) description["chosen"] = chosen_;
  if (!plan.is_null()) description["plan"] = plan;
  say(training_line(settings_, tuner_->trained(), session_.store, data_.train().size()));
  RunFolder folder = RunFolder::create(out, description);
  data_.take_reference(tuner_->view(), folder.reference(), info(0));
  lr_ = choose_lr(folder);
  std::optional<TrajectoryWriter> trajectory;
  if (replays()) trajectory.emplace(new_trajectory(folder));
  folder.keep();
  return steps(folder, std::move(trajectory), 0);
}

// Every file the run read is still what it was.
void TuneRun::require_data(const Json& recorded) const {
  for (const auto& [name, file] : recorded.items()) {
    const std::string path = file.value("path", ""), sha256 = file.value("sha256", "");
    if (sha256 == sha256_file(path)) continue;
    throw Error(Exit::input, path + " is not the " + name + " the run began with (" + sha256.substr(0, 12) + "...)",
                "put the file back, or start a new run with --out");
  }
}

void TuneRun::take_events(const RunFolder& folder, std::int64_t taken) {
  for (const Json& event : read_events(folder.events())) {
    if (event.value("step", std::int64_t{0}) > taken) break;
    if (event.value("event", "") == "eval" && data_.dev() != nullptr) {
      evaluated_ = event["step"].get<std::int64_t>();
      offer(event, evaluated_);
    }
    if (event.value("event", "") == "step") seconds_before_ = event.value("seconds", seconds_before_);
  }
}

int TuneRun::resume(RunFolder folder) {
  folder.require_base(base_sha256_);
  require_data(folder.record().value("files", Json::object()));
  data_.take_reference(tuner_->view(), folder.reference(), info(0));
  lr_ = choose_lr(folder);
  SnapshotStore snapshots(folder.snapshots());
  std::optional<TrajectoryWriter> trajectory;
  std::uint64_t taken = 0;
  if (!replays()) {
    const FoundSnapshot found =
        find_snapshot(snapshots, base_sha256_, static_cast<std::uint64_t>(setting("steps", 200)));
    for (const std::string& text : found.notes) warn(text);
    taken = found.step;
    if (taken > 0) read_snapshot(found.path, tuner_->state(taken));
  } else if (!fs::exists(folder.trajectory())) {  // killed before the first step
    trajectory.emplace(new_trajectory(folder));
  } else {
    const ResumePoint point = find_resume_point(folder.trajectory(), snapshots);
    for (const std::string& text : point.notes) warn(text);
    point.trajectory.require_base(base_sha256_);
    taken = point.steps();
    if (point.snapshot_step > 0) read_snapshot(point.snapshot, tuner_->state(point.snapshot_step));
    for (const StepRecord& record : point.replay()) {
      if (!record.skipped) tuner_->replay(record.step, static_cast<double>(record.lr), record.gradients);
    }
    trajectory.emplace(TrajectoryWriter::resume(folder.trajectory(), point.trajectory, taken));
  }
  snapshots.forget_after(taken);
  take_events(folder, static_cast<std::int64_t>(taken));
  folder.set_status(RunStatus::running);
  say("going on after step " + std::to_string(taken) + " of " + std::to_string(setting("steps", 0)));
  return steps(folder, std::move(trajectory), static_cast<std::int64_t>(taken));
}

int TuneRun::steps(RunFolder& folder, std::optional<TrajectoryWriter> trajectory, std::int64_t first) {
  const std::int64_t steps = setting("steps", 200), checkpoint_every = setting("checkpoint_every", 50);
  const std::int64_t eval_every = setting("eval_every", 0) > 0 ? setting("eval_every", 0) : checkpoint_every;
  EventLog events(folder.events(), static_cast<std::uint64_t>(first));
  SnapshotStore snapshots(folder.snapshots());
  if (!replays() && best_.step > 0) snapshots.protect(static_cast<std::uint64_t>(best_.step));
  Progress progress(static_cast<std::uint64_t>(steps), "it", static_cast<std::uint64_t>(first));
  std::int64_t skipped = 0, skipped_in_a_row = 0, taken = first;
  const auto elapsed = [&] { return seconds_before_ + session_.seconds(); };
  const auto save = [&](std::int64_t done) {
    if (trajectory) trajectory->sync();
    events.sync();
    const auto at = static_cast<std::uint64_t>(done);
    if (done > 0 && !fs::exists(snapshots.path_of(at))) snapshots.write(info(at), tuner_->state(at));
  };
  const auto validate = [&](std::int64_t done) {
    if (data_.dev() == nullptr || done <= evaluated_) return;
    Json event = {{"event", "eval"}, {"step", done}, {"data", "dev"}, {"seconds", elapsed()}};
    event.update(data_.dev()->evaluate(tuner_->view(), "dev examples"));
    // Weights that cannot be replayed are kept when they are the best, before the evaluation is on record.
    if (offer(event, done) && !replays()) {
      snapshots.protect(static_cast<std::uint64_t>(done));
      save(done);
    }
    evaluated_ = done;
    events.append(event);
    say("step " + std::to_string(done) + ": dev" + shown_metrics(event));
  };
  double mean_loss = NAN;
  data_.train().take_details();  // of what came before the steps
  try {
    // A run stopped between a step and its evaluation evaluates now.
    if (first % eval_every == 0 || first == steps) validate(first);
    for (std::int64_t step = first; step < steps; ++step) {
      const double lr = static_cast<double>(
          static_cast<float>(learning_rate(option(settings_, "schedule"), lr_, setting("warmup", 0), steps, step)));
      const StepResult result = tuner_->step(static_cast<std::uint64_t>(step), lr, batch(step));
      taken = step + 1;
      if (trajectory)
        trajectory->append({static_cast<std::uint32_t>(step), result.skipped, static_cast<float>(lr), result.record});
      Json event = {{"event", "step"}, {"step", taken}, {"loss", result.loss}, {"lr", lr}, {"seconds", elapsed()}};
      event.update(result.details);
      event.update(data_.train().take_details());
      if (result.skipped) event["skipped"] = true;
      events.append(event);
      skipped_in_a_row = result.skipped ? skipped_in_a_row + 1 : 0;
      skipped += result.skipped;
      if (skipped_in_a_row == kMostSkipped) {
        save(taken);
        throw Error(Exit::diverged, "the loss was not finite in " + std::to_string(kMostSkipped) + " steps in a row",
                    "start again with a smaller --lr (it was " + Json(lr_).dump() + ")");
      }
      if (!result.skipped) mean_loss = std::isnan(mean_loss) ? result.loss : 0.9 * mean_loss + 0.1 * result.loss;
      char more[80];
      std::snprintf(more, sizeof more, "loss %.4f  mem %s", mean_loss, format_bytes(memory_usage().resident).c_str());
      progress.update(static_cast<std::uint64_t>(taken), more);
      if (is_interrupted()) {
        save(taken);
        folder.set_status(RunStatus::interrupted);
        say("stopped after step " + std::to_string(taken) + "; go on with: frugal tune --resume " +
            folder.path().string());
        return static_cast<int>(Exit::interrupted);
      }
      guard_.check("a step");
      if (taken % eval_every == 0 || taken == steps) validate(taken);
      if (taken % checkpoint_every == 0 || taken == steps) save(taken);
    }
    return finish(folder, skipped, mean_loss);
  } catch (const Error& error) {
    if (trajectory) trajectory->sync();
    if (error.code() == Exit::budget || error.code() == Exit::interrupted) save(taken);
    folder.set_status(error.code() == Exit::diverged ? RunStatus::diverged : RunStatus::interrupted);
    throw;
  }
}

// The weights after `step` steps.
void TuneRun::restore(const RunFolder& folder, std::int64_t step) {
  tuner_->restart();
  if (!replays()) {
    const auto at = static_cast<std::uint64_t>(step);
    if (step > 0) read_snapshot(SnapshotStore(folder.snapshots()).path_of(at), tuner_->state(at));
    return;
  }
  for (const StepRecord& record : read_trajectory(folder.trajectory()).steps) {
    if (static_cast<std::int64_t>(record.step) < step && !record.skipped)
      tuner_->replay(record.step, static_cast<double>(record.lr), record.gradients);
  }
}

// train_loss: of the last steps, on average; NaN where none was taken.
int TuneRun::finish(RunFolder& folder, std::int64_t skipped, double train_loss) {
  const std::int64_t steps = setting("steps", 200);
  const std::string sha256 = weights_sha256(tuner_->result());
  Json results = {
      {"steps", steps}, {"skipped", skipped}, {"lr", lr_}, {"seconds", seconds_before_ + session_.seconds()}};
  if (std::isfinite(train_loss)) results["train_loss"] = train_loss;
  const bool has_best = best_.step >= 0;
  if (has_best) {
    const Objective::Metric metric = data_.metric();
    results["best"] = {{"step", best_.step},
                       {"metric", metric.is_higher_better ? best_.metric : -best_.metric},
                       {"metric_name", metric.name},
                       {"loss", best_.loss}};
  }
  if (data_.test() != nullptr) {
    if (has_best && best_.step != steps) restore(folder, best_.step);
    results["test"] = data_.test()->evaluate(tuner_->view(), "test examples");
    results["test"]["step"] = has_best ? best_.step : steps;
  }
  results["peak_rss_bytes"] = peak_rss_bytes();
  results["floor_rss_bytes"] = session_.floor_bytes;
  folder.finish(RunStatus::done, results, sha256);
  print_results(settings_, folder.path(), results, sha256);
  return 0;
}

}  // namespace

int run_tune(const Json& settings) {
  const std::string resumed = option(settings, "resume");
  if (resumed.empty()) return TuneRun(settings, nullptr).start(option(settings, "out"));
  RunFolder folder = RunFolder::resume(resumed);
  if (folder.record().value("status", "") == "done") {
    say("the run is done; merge it with: frugal merge MODEL " + resumed + " --out MODEL_FOLDER");
    if (settings.value("json", false)) print_line(folder.record().dump());
    return 0;
  }
  Json all = folder.record()["settings"];
  for (const auto& [name, value] : settings.items()) {
    if (name != "resume") all[name] = value;
  }
  const Json chosen = folder.record().value("chosen", Json());
  return TuneRun(all, chosen).resume(std::move(folder));
}

}  // namespace frugal
