// frugal merge: a run's trajectory replayed onto its base, written as a plain model, loaded again and measured.
#include <cstdio>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/train/named_bytes.h"
#include "frugal/train/parametrisation/low_rank.h"
#include "frugal/train/parametrisation/selected_rows.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/trajectory.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/verbs/merge/config.h"
#include "frugal/verbs/torch/tune_data.h"
#include "frugal/verbs/torch/write_model.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// The step whose weights are written: the one asked for, the best of the run, or the last.
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

// Metrics of the written model on examples, or null when there are none to be had.
Json measure(const MergeConfig& c, const Json& record, const fs::path& out) {
  const Json run = record.value("settings", Json::object());
  const std::string objective = from_json<ObjectiveConfig>(run).objective;
  if (objective == "dpo") {
    note("the model is not measured: the loss of --objective dpo needs the model the run began with");
    return nullptr;
  }
  if (run.empty() && c.task.prompt_template.empty()) return nullptr;
  auto task = from_json<DataConfig>(run);
  task.task = c.task;
  std::string data = c.data;
  std::int64_t size = 0;
  if (data.empty()) data = task.test, size = task.test_size;
  if (data.empty()) data = task.dev, size = task.dev_size;
  if (data.empty()) return nullptr;
  if (!fs::exists(data)) {
    note("the run's examples " + data + " are not there any more, so the model is not measured; --data names others");
    return nullptr;
  }
  const std::string weights = c.target.dtype == "f32" ? "f32" : "bf16";
  Session session({out.string(), {.weights = weights, .threads = c.threads}});
  task.data = task.dev = task.test = "";
  TuneData tasks(task, objective, session);
  Json found = tasks.open(data, size)->evaluate(session.view, "examples");
  found["data"] = data;
  return found;
}

// The run's weights after `step` steps: replayed from its log, or read from the snapshot of that step.
void reach(Tuner& tuner, const Trajectory* trajectory, const fs::path& run, std::int64_t step) {
  if (trajectory == nullptr) {
    if (step == 0) return;
    const SnapshotStore snapshots(run / "snapshots");
    const auto at = static_cast<std::uint64_t>(step);
    if (!fs::exists(snapshots.path_of(at))) {
      std::string there;
      for (const std::uint64_t known : snapshots.steps()) there += (there.empty() ? "" : ", ") + std::to_string(known);
      throw Error(Exit::input, "the run has no snapshot of step " + std::to_string(step),
                  there.empty() ? "this method does not replay and has kept no snapshot: tune again"
                                : "this method does not replay; give --step with one of " + there);
    }
    read_snapshot(snapshots.path_of(at), tuner.state(at));
    return;
  }
  Progress progress(static_cast<std::uint64_t>(step), "steps");
  for (std::int64_t i = 0; i < step; ++i) {
    throw_if_interrupted();
    const StepRecord& at = trajectory->steps[static_cast<std::size_t>(i)];
    if (!at.skipped) tuner.replay(at.step, static_cast<double>(at.lr), at.gradients);
    progress.update(static_cast<std::uint64_t>(i) + 1);
  }
}

// A log of steps says what its engine was; a run's record says which method it had.
std::unique_ptr<Tuner> tuner_of(const Json& record, const Trajectory* trajectory, Session& session) {
  TunerRegistry tuners;
  register_tuners(tuners);
  Json chosen = record.value("chosen", Json());
  const Json settings = record.value("settings", Json::object());
  TunerContext context{session.store, session.threads, nullptr, chosen, run_settings(settings)};
  const std::string method = settings.value("method", "");
  if (trajectory != nullptr) return tuners.replay_of(method)(trajectory->header, context);
  return tuners.at(method)(settings, context);
}

void write_whole(const RowReader& rows, const Session& session, const std::string& dtype, const fs::path& out) {
  if (is_rows_adapter(out))
    throw Error(Exit::usage, "--out is " + out.string() + ", but a whole model is written",
                "name a folder or a .gguf file, or give --adapter");
  write_model(*session.source, rows, dtype, out);
}

void write(const Tuner& tuner, const Session& session, const MergeConfig& c, const fs::path& out) {
  const std::string& dtype = c.target.dtype;
  if (c.adapter) {
    if (const auto rows = tuner.rows_adapter()) {
      if (!is_rows_adapter(out))
        throw Error(Exit::usage, "--out is " + out.string() + ", but trained rows are one file",
                    "--out rows.safetensors");
      return write_rows_adapter(*rows, session.store.shape(), out, dtype);
    }
    const auto adapter = tuner.adapter();
    if (!adapter)
      throw Error(Exit::usage, "--adapter is given, but the run trained no low-rank pairs and no rows",
                  "leave --adapter out to write the whole model");
    if (out.extension() == ".gguf")
      write_gguf_adapter(*adapter, session.store.shape(), out, dtype);
    else
      write_peft_adapter(*adapter, session.store.shape(), out, dtype);
    return;
  }
  write_whole(
      [&](std::size_t id, std::int64_t begin, std::int64_t end, float* to) { tuner.merged_rows(id, begin, end, to); },
      session, dtype, out);
}

void print_metrics(const Json& measured) {
  if (measured.is_null()) return;
  std::printf("reloaded ");
  for (const char* metric : {"accuracy", "balanced_accuracy", "perplexity", "loss"}) {
    if (measured.contains(metric)) std::printf(" %s %.4f", metric, measured[metric].get<double>());
  }
  std::printf(" on %s\n", measured["data"].get<std::string>().c_str());
}

// What an adapter holds, over its base: trained rows, or low-rank pairs of PEFT.
std::unique_ptr<Parametrisation> parts_of(const fs::path& adapter, WeightStore& store) {
  if (is_rows_adapter(adapter)) return std::make_unique<SelectedRows>(store, read_rows_adapter(adapter, store.shape()));
  return std::make_unique<LowRankPairs>(store, read_peft_adapter(adapter, store.shape()), 0, 0);
}

// An adapter alone laid over its base, which is read as the file has it.
int merge_adapter(const MergeConfig& c, const fs::path& adapter, const fs::path& out) {
  if (c.adapter)
    throw Error(Exit::usage, "--adapter is given, but " + adapter.string() + " is an adapter already",
                "leave --adapter out to write the whole model");
  {
    Session session({c.model, {.weights = "stored", .threads = c.threads}});
    const auto parts = parts_of(adapter, session.store);
    write_whole([&](std::size_t id, std::int64_t begin, std::int64_t end,
                    float* to) { parts->merged_rows(id, begin, end, to); },
                session, c.target.dtype, out);
  }
  const Json measured = measure(c, Json::object(), out);
  if (c.output.json) {
    Json line = {{"out", out.string()}, {"dtype", c.target.dtype}};
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s)\n", out.c_str(), c.target.dtype.c_str());
  print_metrics(measured);
  return 0;
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

int run_merge(const MergeConfig& c) {
  const fs::path run = c.run, out = c.target.out;
  if (is_rows_adapter(run) || is_peft_adapter(run)) return merge_adapter(c, run, out);
  const bool is_folder = fs::is_directory(run);
  const Json record = is_folder ? RunFolder::read_record(run) : Json::object();
  if (const std::string action = record.value("action", "tune"); action != "tune" && action != "adapt")
    throw Error(Exit::usage, run.string() + " is a run of frugal " + action + ", which tuned no language model",
                "give a run of frugal tune or frugal adapt");
  const fs::path log = is_folder ? run / "trajectory.bin" : run;
  std::optional<Trajectory> trajectory;
  if (!is_folder || fs::exists(log)) trajectory = whole_steps(log);
  const Trajectory* steps_of = trajectory ? &*trajectory : nullptr;
  const std::int64_t steps = trajectory ? static_cast<std::int64_t>(trajectory->steps.size()) : last_step(run, record);
  const std::int64_t step = chosen_step(c.step, record, steps);
  const std::string weights =
      trajectory ? trajectory->header.value("weights", "bf16") : record["settings"].value("weights", "bf16");
  if (step == 0 && steps > 0 && c.step < 0)
    note(
        "no step was better on the dev examples than the model itself, which is what is written; --step takes another");
  if (weights == "nf4" && !c.adapter)
    note(
        "the run trained on NF4 weights: these are written, not the file's, so that the model is the one that was "
        "tuned");
  std::string sha256;
  {
    Session session({c.model, {.weights = weights, .threads = c.threads}});
    const std::string base = base_sha256(session), expected_base = trajectory ? "" : record["base"].value("sha256", "");
    if (trajectory)
      trajectory->require_base(base);
    else if (base != expected_base) {
      throw Error(Exit::input,
                  "the model's weights have sha256 " + base.substr(0, 12) + "..., the run began with " +
                      expected_base.substr(0, 12) + "...",
                  "give the model the run was made from");
    }
    const auto tuner = tuner_of(record, steps_of, session);
    reach(*tuner, steps_of, run, step);
    sha256 = weights_sha256(tuner->result());
    if (const std::string expected = record.value("weights_sha256", "");
        step == steps && !expected.empty() && expected != sha256) {
      throw Error(Exit::input,
                  "the run's weights have sha256 " + sha256.substr(0, 12) + "..., it ended with " +
                      expected.substr(0, 12) + "...",
                  "the run's folder is damaged; copy it again, or tune again");
    }
    write(*tuner, session, c, out);
  }
  const Json measured = c.adapter ? Json() : measure(c, record, out);
  if (c.output.json) {
    Json line = {{"out", out.string()}, {"dtype", c.target.dtype}, {"step", step}, {"weights_sha256", sha256}};
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s, weights after step %lld of %lld)\n", out.c_str(), c.target.dtype.c_str(),
              static_cast<long long>(step), static_cast<long long>(steps));
  print_metrics(measured);
  return 0;
}

}  // namespace

void register_torch_job_verbs_merge(JobTable& table) { table.action<MergeConfig>("merge", run_merge); }

}  // namespace frugal
