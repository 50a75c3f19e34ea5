// frugal tune: the loop over steps, with everything around it that makes a run safe to stop at any time.
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/base/sha256.h"
#include "frugal/core/budget/guard.h"
#include "frugal/data/batcher.h"
#include "frugal/train/loop/best.h"
#include "frugal/train/loop/lr_race.h"
#include "frugal/train/loop/run_state.h"
#include "frugal/train/loop/schedule.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/resume.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr int kMostSkipped = 20;  // steps in a row without a finite loss

Dataset read_examples(const Json& settings, const PromptTask& task, const char* file, const char* size) {
  const auto limit = static_cast<std::size_t>(settings.value(size, std::int64_t{0}));
  return task.encode(read_records(option(settings, file), from_json<PromptConfig>(settings).columns, limit));
}

class TuneRun {
 public:
  // settings: of the run, resolved; of this process: memory, threads, json, quiet.
  explicit TuneRun(const Json& settings)
      : settings_(settings), session_(settings), task_(from_json<PromptConfig>(settings), *session_.tokenizer),
        train_(read_examples(settings, task_, "data", "train_size")), guard_(Bytes{settings.value("memory", std::uint64_t{0})},
        "give more --memory, or a smaller --batch or --max-length; see frugal plan") {
    if (!option(settings, "dev").empty()) dev_ = read_examples(settings, task_, "dev", "dev_size");
    if (!option(settings, "test").empty()) test_ = read_examples(settings, task_, "test", "test_size");
    state_ = named_bytes(session_.store);
    base_sha256_ = weights_sha256(state_);
    TunerRegistry tuners;
    register_tuners(tuners);
    TunerContext context{session_.store, session_.decoder, task_};
    tuner_ = tuners.at(option(settings, "method")).make(settings, context);
    std::vector<std::int32_t> labels;
    for (const Example& example : train_.examples) labels.push_back(example.label);
    batcher_ = std::make_unique<Batcher>(labels, settings.value("batch", std::int64_t{16}), seed(), settings.value("balance", false));
    guard_.check("the model");
  }

  int start(const fs::path& out);
  int resume(RunFolder folder);

 private:
  std::uint64_t seed() const { return static_cast<std::uint64_t>(settings_.value("seed", std::int64_t{1})); }
  std::int64_t setting(const char* name, std::int64_t fallback) const { return settings_.value(name, fallback); }
  std::vector<const Example*> batch(std::int64_t step) const {
    std::vector<const Example*> examples;
    for (const std::uint32_t index : batcher_->batch(static_cast<std::uint64_t>(step))) examples.push_back(&train_.examples[index]);
    return examples;
  }
  SnapshotInfo info(std::uint64_t step) const { return {step, option(settings_, "weights"), base_sha256_}; }

  double choose_lr(RunFolder& folder);
  TrajectoryWriter new_trajectory(const RunFolder& folder) const;
  Json evaluate_now(const Dataset& data, const char* what);
  void offer(const Json& evaluation, std::int64_t step);
  int steps(RunFolder& folder, TrajectoryWriter trajectory, std::int64_t first);
  int finish(RunFolder& folder, std::int64_t skipped);
  void restore(const fs::path& trajectory, std::int64_t step);

  Json settings_;
  Session session_;
  PromptTask task_;
  Dataset train_, dev_, test_;
  BudgetGuard guard_;
  std::vector<NamedBytes> state_;
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
  constexpr std::int64_t kJudges = 48;
  std::vector<const Example*> judges;
  for (std::int64_t i = 0; static_cast<std::int64_t>(judges.size()) < kJudges; ++i) {
    const auto part = batch(setting("steps", 0) + 1000 + i);  // batches that no step takes
    judges.insert(judges.end(), part.begin(), part.end());
  }
  LabelObjective objective(session_.decoder, task_.options(), 1024);
  const auto judge = [&] {
    double sum = 0;
    for (const double loss : objective.score(session_.view, judges).losses) sum += loss;
    return sum / static_cast<double>(judges.size());
  };
  say("looking for a step size");
  const Json race = race_learning_rates({}, *tuner_, [&] { session_.store.load(session_.threads); },
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

Json TuneRun::evaluate_now(const Dataset& data, const char* what) {
  const Evaluation found = evaluate(session_.decoder, session_.view, task_, data.examples, what);
  return {{"accuracy", found.metrics.accuracy},
          {"balanced_accuracy", found.metrics.balanced_accuracy},
          {"f1", found.metrics.f1},
          {"loss", found.loss},
          {"examples", data.examples.size()}};
}

// With balanced batches the balanced accuracy decides which weights are best, otherwise plain accuracy.
void TuneRun::offer(const Json& evaluation, std::int64_t step) {
  const char* metric = settings_.value("balance", false) ? "balanced_accuracy" : "accuracy";
  best_.offer(step, evaluation[metric].get<double>(), evaluation["loss"].get<double>());
}

int TuneRun::start(const fs::path& out) {
  require_free_space(out, most_snapshot_bytes(snapshot_bytes(state_)));
  for (const char* file : {"model", "data", "dev", "test"}) {  // a run goes on from any folder
    if (!option(settings_, file).empty()) settings_[file] = fs::absolute(option(settings_, file)).lexically_normal().string();
  }
  if (const std::string mask = option(settings_, "mask"); mask.starts_with("file:")) {
    settings_["mask"] = "file:" + fs::absolute(mask.substr(5)).lexically_normal().string();
  }
  settings_.erase("out");
  settings_.erase("resume");
  Json data = {{"path", settings_["data"]}, {"sha256", sha256_file(option(settings_, "data"))}, {"examples", train_.examples.size()}, {"truncated", train_.truncated}};
  RunFolder folder = RunFolder::create(
      out, {{"settings", settings_}, {"base", {{"path", settings_["model"]}, {"format", session_.source->format()}, {"sha256", base_sha256_}}}, {"data", data}});
  lr_ = choose_lr(folder);
  TrajectoryWriter trajectory = new_trajectory(folder);
  folder.keep();
  return steps(folder, std::move(trajectory), 0);
}

int TuneRun::resume(RunFolder folder) {
  folder.require_base(base_sha256_);
  if (const auto& data = folder.record()["data"]; data.value("sha256", "") != sha256_file(option(settings_, "data"))) {
    throw Error(Exit::input, option(settings_, "data") + " is not the data the run began with (" + data.value("sha256", "").substr(0, 12) + "...)",
                "put the file back, or start a new run with --out");
  }
  lr_ = choose_lr(folder);
  if (!fs::exists(folder.trajectory())) return steps(folder, new_trajectory(folder), 0);  // killed before the first step
  SnapshotStore snapshots(folder.snapshots());
  const ResumePoint point = find_resume_point(folder.trajectory(), snapshots);
  for (const std::string& text : point.notes) warn(text);
  point.trajectory.require_base(base_sha256_);
  if (point.snapshot_step > 0) read_snapshot(point.snapshot, state_);
  for (const StepRecord& record : point.replay()) {
    if (!record.skipped) tuner_->replay(record.step, static_cast<double>(record.lr), record.gradients);
  }
  snapshots.forget_after(point.steps());
  for (const Json& event : read_events(folder.events())) {
    if (event.value("event", "") == "eval" && event.value("step", std::int64_t{0}) <= static_cast<std::int64_t>(point.steps())) {
      evaluated_ = event["step"].get<std::int64_t>();
      offer(event, evaluated_);
    }
    if (event.value("event", "") == "step") seconds_before_ = event.value("seconds", seconds_before_);
  }
  folder.set_status(RunStatus::running);
  say("going on after step " + std::to_string(point.steps()) + " of " + std::to_string(setting("steps", 0)));
  return steps(folder, TrajectoryWriter::resume(folder.trajectory(), point.trajectory, point.steps()), static_cast<std::int64_t>(point.steps()));
}

int TuneRun::steps(RunFolder& folder, TrajectoryWriter trajectory, std::int64_t first) {
  const std::int64_t steps = setting("steps", 200), checkpoint_every = setting("checkpoint_every", 50);
  const std::int64_t eval_every = setting("eval_every", 0) > 0 ? setting("eval_every", 0) : checkpoint_every;
  EventLog events(folder.events());
  SnapshotStore snapshots(folder.snapshots());
  Progress progress(static_cast<std::uint64_t>(steps), "it", static_cast<std::uint64_t>(first));
  std::int64_t skipped = 0, skipped_in_a_row = 0;
  const auto elapsed = [&] { return seconds_before_ + session_.seconds(); };
  const auto save = [&](std::int64_t done) {
    trajectory.sync();
    if (done > 0 && !fs::exists(snapshots.path_of(static_cast<std::uint64_t>(done)))) snapshots.write(info(static_cast<std::uint64_t>(done)), state_);
  };
  const auto validate = [&](std::int64_t done) {
    if (dev_.examples.empty() || done <= evaluated_) return;
    Json event = {{"event", "eval"}, {"step", done}, {"data", "dev"}, {"seconds", elapsed()}};
    event.update(evaluate_now(dev_, "dev examples"));
    offer(event, done);
    evaluated_ = done;
    events.append(event);
    char line[120];
    std::snprintf(line, sizeof line, "step %lld: dev accuracy %.4f, balanced %.4f, loss %.4f", static_cast<long long>(done), event["accuracy"].get<double>(),
                  event["balanced_accuracy"].get<double>(), event["loss"].get<double>());
    say(line);
  };
  double mean_loss = NAN;
  try {
    // A run stopped between a step and its evaluation evaluates now.
    if (first % eval_every == 0 || first == steps) validate(first);
    for (std::int64_t step = first; step < steps; ++step) {
      const double lr = static_cast<double>(static_cast<float>(learning_rate(option(settings_, "schedule"), lr_, setting("warmup", 0), steps, step)));
      const StepResult result = tuner_->step(static_cast<std::uint64_t>(step), lr, batch(step));
      StepRecord record{static_cast<std::uint32_t>(step), result.skipped, static_cast<float>(lr), result.record};
      trajectory.append(record);
      Json event = {{"event", "step"}, {"step", step + 1}, {"loss", result.loss}, {"lr", lr}, {"projected_gradients", result.record}, {"seconds", elapsed()}};
      if (result.skipped) event["skipped"] = true;
      events.append(event);
      skipped_in_a_row = result.skipped ? skipped_in_a_row + 1 : 0;
      skipped += result.skipped;
      if (skipped_in_a_row == kMostSkipped) {
        save(step + 1);
        throw Error(Exit::diverged, "the loss was not finite in " + std::to_string(kMostSkipped) + " steps in a row", "start again with a smaller --lr (it was " + std::to_string(lr_) + ")");
      }
      if (!result.skipped) mean_loss = std::isnan(mean_loss) ? result.loss : 0.9 * mean_loss + 0.1 * result.loss;
      char more[80];
      std::snprintf(more, sizeof more, "loss %.4f  mem %s", mean_loss, format_bytes(memory_usage().resident).c_str());
      progress.update(static_cast<std::uint64_t>(step) + 1, more);
      const std::int64_t done = step + 1;
      if (is_interrupted()) {
        save(done);
        folder.set_status(RunStatus::interrupted);
        say("stopped after step " + std::to_string(done) + "; go on with: frugal tune --resume " + folder.path().string());
        return static_cast<int>(Exit::interrupted);
      }
      guard_.check("a step");
      if (done % eval_every == 0 || done == steps) validate(done);
      if (done % checkpoint_every == 0 || done == steps) save(done);
    }
    return finish(folder, skipped);
  } catch (const Error& error) {
    trajectory.sync();
    if (error.code() == Exit::budget) save(trajectory.steps());
    folder.set_status(error.code() == Exit::diverged ? RunStatus::diverged : RunStatus::interrupted);
    throw;
  }
}

// The weights after `step` steps, from the base.
void TuneRun::restore(const fs::path& trajectory, std::int64_t step) {
  session_.store.load(session_.threads);
  for (const StepRecord& record : read_trajectory(trajectory).steps) {
    if (static_cast<std::int64_t>(record.step) < step && !record.skipped) tuner_->replay(record.step, static_cast<double>(record.lr), record.gradients);
  }
}

int TuneRun::finish(RunFolder& folder, std::int64_t skipped) {
  const std::int64_t steps = setting("steps", 200);
  const std::string sha256 = weights_sha256(state_);
  Json results = {{"steps", steps}, {"skipped", skipped}, {"lr", lr_}, {"seconds", seconds_before_ + session_.seconds()}};
  if (best_.step >= 0) results["best"] = {{"step", best_.step}, {"metric", best_.metric}, {"loss", best_.loss}};
  if (!test_.examples.empty()) {
    if (best_.step >= 0 && best_.step != steps) restore(folder.trajectory(), best_.step);
    results["test"] = evaluate_now(test_, "test examples");
    results["test"]["step"] = best_.step >= 0 ? best_.step : steps;
  }
  results["peak_rss_bytes"] = peak_rss_bytes();
  results["floor_rss_bytes"] = session_.floor_bytes;
  folder.finish(RunStatus::done, results, sha256);
  if (settings_.value("json", false)) {
    Json line = {{"run", folder.path().string()}};
    line.update(results);
    line["weights_sha256"] = sha256;
    print_line(line.dump());
    return 0;
  }
  std::printf("run       %s\n", folder.path().c_str());
  std::printf("steps     %lld in %s, peak memory %s\n", static_cast<long long>(steps), format_seconds(results["seconds"].get<double>()).c_str(),
              format_bytes(peak_rss_bytes()).c_str());
  if (best_.step >= 0) std::printf("best      step %lld, dev %s %.4f, loss %.4f\n", static_cast<long long>(best_.step), settings_.value("balance", false) ? "balanced accuracy" : "accuracy", best_.metric, best_.loss);
  if (results.contains("test")) std::printf("test      accuracy %.4f, balanced %.4f, loss %.4f\n", results["test"]["accuracy"].get<double>(), results["test"]["balanced_accuracy"].get<double>(), results["test"]["loss"].get<double>());
  std::printf("weights   sha256 %s\n", sha256.c_str());
  std::printf("next      frugal merge %s %s --out MODEL_FOLDER\n", option(settings_, "model").c_str(), folder.path().c_str());
  return 0;
}

}  // namespace

int run_tune(const Json& settings) {
  const std::string resumed = option(settings, "resume");
  if (resumed.empty()) return TuneRun(settings).start(option(settings, "out"));
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
  return TuneRun(all).resume(std::move(folder));
}

}  // namespace frugal
