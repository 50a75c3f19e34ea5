// frugal merge: a run's trajectory replayed onto its base, written as a plain model, loaded again and measured.
#include <cstdio>
#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/progress.h"
#include "frugal/train/loop/run_state.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/trajectory.h"
#include "frugal/train/zeroth_order/tuner.h"
#include "frugal/verbs/verbs.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// The step whose weights are written: the one asked for, the best of the run, or the last.
std::int64_t chosen_step(const Json& settings, const Json& record, std::int64_t steps) {
  const auto asked = settings.value("step", std::int64_t{-1});
  if (asked > steps) {
    throw Error(Exit::usage, "--step is " + std::to_string(asked) + ", the run has " + std::to_string(steps) + " steps", "give a step from 0 to " + std::to_string(steps));
  }
  if (asked >= 0) return asked;
  const Json& results = record.value("results", Json::object());
  return results.contains("best") ? results["best"]["step"].get<std::int64_t>() : steps;
}

// Accuracy of the written model on examples, or null when there are none to be had. settings: the prompt's too.
Json measure(const Json& settings, const Json& record, const fs::path& out) {
  const Json run = record.value("settings", Json::object());
  const auto config = from_json<PromptConfig>(settings);
  if (config.prompt_template.empty()) return nullptr;
  std::string data = option(settings, "data"), size = "";
  if (data.empty()) data = option(run, "test"), size = "test_size";
  if (data.empty()) data = option(run, "dev"), size = "dev_size";
  if (data.empty()) return nullptr;
  if (!fs::exists(data)) {
    note("the run's examples " + data + " are not there any more, so accuracy is not measured; --data names others");
    return nullptr;
  }
  Session session(ModelSource::open(out), "bf16", settings.value("threads", std::int64_t{0}));
  const PromptTask task(config, *session.tokenizer);
  const auto limit = size.empty() ? 0 : run.value(size, std::int64_t{0});
  const Dataset examples = task.encode(read_records(data, config.columns, static_cast<std::size_t>(limit)));
  const Evaluation found = evaluate(session.decoder, session.view, task, examples.examples, "examples");
  return {{"data", data}, {"examples", examples.examples.size()}, {"accuracy", found.metrics.accuracy}, {"balanced_accuracy", found.metrics.balanced_accuracy}, {"loss", found.loss}};
}

}  // namespace

int run_merge(const Json& settings) {
  const fs::path run = option(settings, "run"), out = option(settings, "out");
  const bool is_folder = fs::is_directory(run);
  const Json record = is_folder ? RunFolder::read_record(run) : Json::object();
  const Trajectory trajectory = read_trajectory(is_folder ? run / "trajectory.bin" : run);
  const auto steps = static_cast<std::int64_t>(trajectory.steps.size());
  const std::int64_t step = chosen_step(settings, record, steps);
  std::string sha256;
  {
    Session session(ModelSource::open(option(settings, "model")), trajectory.header.value("weights", "bf16"), settings.value("threads", std::int64_t{0}));
    const auto state = named_bytes(session.store);
    trajectory.require_base(weights_sha256(state));
    ZerothOrderEngine engine(session.store, session.threads, options_from_header(trajectory.header));
    Progress progress(static_cast<std::uint64_t>(step), "steps");
    for (std::int64_t i = 0; i < step; ++i) {
      throw_if_interrupted();
      const StepRecord& at = trajectory.steps[static_cast<std::size_t>(i)];
      if (!at.skipped) engine.update(at.step, at.lr, at.gradients);
      progress.update(static_cast<std::uint64_t>(i) + 1);
    }
    sha256 = weights_sha256(state);
    if (const std::string expected = record.value("weights_sha256", ""); step == steps && !expected.empty() && expected != sha256) {
      throw Error(Exit::input, "the replayed weights have sha256 " + sha256.substr(0, 12) + "..., the run ended with " + expected.substr(0, 12) + "...",
                  "the trajectory is damaged; copy the run folder again, or tune again");
    }
    Progress writing(session.store.size(), "tensors");
    const RowReader rows = [&](std::size_t id, std::int64_t begin, std::int64_t end, float* to) { session.store.read_rows(id, begin, end, to); };
    const ExportProgress told = [&](std::size_t done, std::size_t) {
      throw_if_interrupted();
      writing.update(done);
    };
    const std::string dtype = option(settings, "dtype");
    if (out.extension() == ".gguf") export_gguf(*session.source, rows, dtype, out, told);
    else export_hf_folder(*session.source, rows, dtype, out, told);
  }
  const Json measured = measure(settings, record, out);
  if (settings.value("json", false)) {
    Json line = {{"out", out.string()}, {"dtype", option(settings, "dtype")}, {"step", step}, {"weights_sha256", sha256}};
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s, weights after step %lld of %lld)\n", out.c_str(), option(settings, "dtype").c_str(), static_cast<long long>(step), static_cast<long long>(steps));
  if (!measured.is_null()) {
    std::printf("reloaded  accuracy %.4f, balanced %.4f, loss %.4f on %s\n", measured["accuracy"].get<double>(), measured["balanced_accuracy"].get<double>(),
                measured["loss"].get<double>(), measured["data"].get<std::string>().c_str());
  }
  return 0;
}

}  // namespace frugal
