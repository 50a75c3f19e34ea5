// frugal merge: a run's trajectory replayed onto its base, written as a plain model, loaded again and measured.
#include <cstdio>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/train/loop/run_state.h"
#include "frugal/train/parametrisation/selected_rows.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/trajectory.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/tune/low_rank_options.h"
#include "frugal/verbs/tune_data.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// The step whose weights are written: the one asked for, the best of the run, or the last.
std::int64_t chosen_step(const Json& settings, const Json& record, std::int64_t steps) {
  const auto asked = settings.value("step", std::int64_t{-1});
  if (asked > steps) {
    throw Error(Exit::usage, "--step is " + std::to_string(asked) + ", the run has " + std::to_string(steps) + " steps",
                "give a step from 0 to " + std::to_string(steps));
  }
  if (asked >= 0) return asked;
  const Json& results = record.value("results", Json::object());
  return results.contains("best") ? results["best"]["step"].get<std::int64_t>() : steps;
}

// Steps of a run that does not replay: as it ended, or of its newest snapshot.
std::int64_t last_step(const fs::path& run, const Json& record) {
  const auto kept = SnapshotStore(run / "snapshots").steps();
  return record.value("results", Json::object())
      .value("steps", kept.empty() ? std::int64_t{0} : static_cast<std::int64_t>(kept.back()));
}

// Metrics of the written model on examples, or null when there are none to be had. settings: the prompt's too.
Json measure(const Json& settings, const Json& record, const fs::path& out) {
  const Json run = record.value("settings", Json::object());
  Json task = run;
  for (const auto& [name, value] : settings.items()) task[name] = value;
  if (option(run, "objective") == "dpo") {
    note("the model is not measured: the loss of --objective dpo needs the model the run began with");
    return nullptr;
  }
  if (run.empty() && from_json<PromptConfig>(settings).prompt_template.empty()) return nullptr;
  std::string data = option(settings, "data"), size = "";
  if (data.empty()) data = option(run, "test"), size = "test_size";
  if (data.empty()) data = option(run, "dev"), size = "dev_size";
  if (data.empty()) return nullptr;
  if (!fs::exists(data)) {
    note("the run's examples " + data + " are not there any more, so the model is not measured; --data names others");
    return nullptr;
  }
  const std::string weights = option(settings, "dtype") == "f32" ? "f32" : "bf16";
  Session session(ModelSource::open(out), weights, settings.value("threads", std::int64_t{0}));
  for (const char* split : {"data", "dev", "test"}) task.erase(split);
  TuneData tasks(task, session);
  Json found =
      tasks.open(data, size.empty() ? 0 : run.value(size, std::int64_t{0}))->evaluate(session.view, "examples");
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

// A bare trajectory says what its engine was; a run's record says which method it had.
std::unique_ptr<Tuner> tuner_of(const Json& record, const Trajectory* trajectory, Session& session) {
  if (trajectory != nullptr) {
    const ZerothOrderOptions options = options_from_header(trajectory->header);
    const auto trained = from_json<TrainedConfig>(trajectory->header.value("trained", Json::object()));
    validate(trained);
    const Json description = describe_trained(trained);
    require_same_adapter(trained, description, trajectory->header);
    return std::make_unique<ZerothOrderTuner>(trained_parts(trained, options.seed, session.store, session.threads),
                                              session.threads, nullptr, options, ZerothOrderTuner::Loss::cross_entropy,
                                              1, description);
  }
  TunerRegistry tuners;
  register_tuners(tuners);
  Json chosen = record.value("chosen", Json());
  TunerContext context{session.store, session.decoder, nullptr, chosen};
  return tuners.at(record["settings"]["method"].get<std::string>())(record["settings"], context);
}

void write_model(const RowReader& rows, const Session& session, const std::string& dtype, const fs::path& out) {
  Progress writing(session.store.size(), "tensors");
  const ExportProgress told = [&](std::size_t done, std::size_t) {
    throw_if_interrupted();
    writing.update(done);
  };
  if (is_rows_adapter(out))
    throw Error(Exit::usage, "--out is " + out.string() + ", but a whole model is written",
                "name a folder or a .gguf file, or give --adapter");
  if (out.extension() == ".gguf")
    export_gguf(*session.source, rows, dtype, out, told);
  else
    export_hf_folder(*session.source, rows, dtype, out, told);
}

void write(const Tuner& tuner, const Session& session, const Json& settings, const fs::path& out) {
  const std::string dtype = option(settings, "dtype");
  if (settings.value("adapter", false)) {
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
  write_model(
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
int merge_adapter(const Json& settings, const fs::path& adapter, const fs::path& out) {
  if (settings.value("adapter", false))
    throw Error(Exit::usage, "--adapter is given, but " + adapter.string() + " is an adapter already",
                "leave --adapter out to write the whole model");
  {
    Session session(ModelSource::open(option(settings, "model")), "stored", settings.value("threads", std::int64_t{0}));
    const auto parts = parts_of(adapter, session.store);
    write_model([&](std::size_t id, std::int64_t begin, std::int64_t end,
                    float* to) { parts->merged_rows(id, begin, end, to); },
                session, option(settings, "dtype"), out);
  }
  const Json measured = measure(settings, Json::object(), out);
  if (settings.value("json", false)) {
    Json line = {{"out", out.string()}, {"dtype", option(settings, "dtype")}};
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s)\n", out.c_str(), option(settings, "dtype").c_str());
  print_metrics(measured);
  return 0;
}

}  // namespace

int run_merge(const Json& settings) {
  const fs::path run = option(settings, "run"), out = option(settings, "out");
  if (is_rows_adapter(run) || is_peft_adapter(run)) return merge_adapter(settings, run, out);
  const bool is_folder = fs::is_directory(run);
  const Json record = is_folder ? RunFolder::read_record(run) : Json::object();
  const fs::path log = is_folder ? run / "trajectory.bin" : run;
  std::optional<Trajectory> trajectory;
  if (!is_folder || fs::exists(log)) trajectory = read_trajectory(log);
  const Trajectory* steps_of = trajectory ? &*trajectory : nullptr;
  const std::int64_t steps = trajectory ? static_cast<std::int64_t>(trajectory->steps.size()) : last_step(run, record);
  const std::int64_t step = chosen_step(settings, record, steps);
  const std::string weights =
      trajectory ? trajectory->header.value("weights", "bf16") : record["settings"].value("weights", "bf16");
  if (step == 0 && steps > 0 && settings.value("step", std::int64_t{-1}) < 0)
    note(
        "no step was better on the dev examples than the model itself, which is what is written; --step takes another");
  if (weights == "nf4" && !settings.value("adapter", false))
    note(
        "the run trained on NF4 weights: these are written, not the file's, so that the model is the one that was "
        "tuned");
  std::string sha256;
  {
    Session session(ModelSource::open(option(settings, "model")), weights, settings.value("threads", std::int64_t{0}));
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
    write(*tuner, session, settings, out);
  }
  const bool is_model = !settings.value("adapter", false);
  const Json measured = is_model ? measure(settings, record, out) : Json();
  if (settings.value("json", false)) {
    Json line = {
        {"out", out.string()}, {"dtype", option(settings, "dtype")}, {"step", step}, {"weights_sha256", sha256}};
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s, weights after step %lld of %lld)\n", out.c_str(), option(settings, "dtype").c_str(),
              static_cast<long long>(step), static_cast<long long>(steps));
  print_metrics(measured);
  return 0;
}

}  // namespace frugal
