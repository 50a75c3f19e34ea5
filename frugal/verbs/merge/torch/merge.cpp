// frugal merge: a run's trajectory replayed onto its base, written as a plain model, loaded again and measured.
#include <cstdio>
#include <filesystem>

#include "frugal/base/bytes_below.h"
#include "frugal/base/error.h"
#include "frugal/base/log.h"
#include "frugal/train/loop/job_table.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/verbs/merge/config.h"
#include "frugal/verbs/torch/tune_data.h"
#include "frugal/verbs/torch/tuned_weights.h"
#include "frugal/verbs/torch/write_model.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

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
  if (!c.task.prompt_template.empty() || !c.task.labels.empty()) task.task = c.task;
  const auto seed = static_cast<std::uint64_t>(run.value("seed", std::int64_t{1}));
  const DataParts parts = data_parts(task, seed);
  const DataPart part = !c.data.empty() ? DataPart{c.data} : task.test.empty() ? parts.dev : parts.test;
  if (part.path.empty()) return nullptr;
  if (!fs::exists(part.path)) {
    note("the run's examples " + part.path +
         " are not there any more, so the model is not measured; --data names others");
    return nullptr;
  }
  const std::string weights = c.target.dtype == "f32" ? "f32" : "bf16";
  Session session({out.string(), {.weights = weights, .threads = c.threads}});
  task.data = task.dev = task.test = "";
  TuneData tasks(task, objective, session);
  Json found = tasks.open(part)->evaluate(session.view(), "examples");
  found["data"] = part.path;
  return found;
}

// Where AutoPeftModel finds the base of an adapter: a folder of Hugging Face's format.
fs::path base_folder(const MergeConfig& c) {
  if (!c.base_name.empty()) return c.base_name;
  fs::path model = fs::absolute(c.model).lexically_normal();
  if (!model.has_filename()) model = model.parent_path();
  if (fs::is_directory(model)) return model;
  fs::path out = fs::absolute(c.target.out).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  return out.parent_path() / model.stem();
}

// The line behind an adapter that was written: what makes its base, and whose logits it gives.
std::string base_line(const MergeConfig& c, const std::string& weights) {
  const fs::path base = base_folder(c);
  if (weights == "nf4")
    return "base      the pairs lie over NF4 weights, which no base of PEFT has: frugal merge without --adapter writes "
           "the model that was tuned\n";
  const std::string dtype = weights == "bf16" ? "bf16" : "f32";  // blocks as stored are exact in f32
  const std::string same = "in " + dtype + " it gives the run's logits, in another type others";
  if (fs::exists(base) || !c.base_name.empty()) return "base      " + base.string() + ": " + same + "\n";
  return "base      frugal convert " + c.model + " --out " + base.string() + " --dtype " + dtype +
         " writes what AutoPeftModel loads beside it; " + same + "\n";
}

void write(const TunedWeights& tuned, const Session& session, const MergeConfig& c, const fs::path& out) {
  const std::string& dtype = c.target.dtype;
  if (c.adapter) {
    if (const auto rows = tuned.rows_adapter()) {
      if (!is_rows_adapter(out))
        throw Error(Exit::usage, "--out is " + out.string() + ", but trained rows are one file",
                    "--out rows.safetensors");
      return write_rows_adapter(*rows, session.store.shape(), out, dtype);
    }
    auto adapter = tuned.adapter();
    if (!adapter)
      throw Error(Exit::usage, "--adapter is given, but the run trained no low-rank pairs and no rows",
                  "leave --adapter out to write the whole model");
    if (out.extension() == ".gguf")
      write_gguf_adapter(*adapter, session.store.shape(), out, dtype);
    else {
      adapter->base_model = base_folder(c).string();
      write_peft_adapter(*adapter, session.store.shape(), out, dtype);
    }
    return;
  }
  if (is_rows_adapter(out))
    throw Error(Exit::usage, "--out is " + out.string() + ", but a whole model is written",
                "name a folder or a .gguf file, or give --adapter");
  write_model(
      *session.source,
      [&](std::size_t id, std::int64_t begin, std::int64_t end, float* to) { tuned.merged_rows(id, begin, end, to); },
      dtype, out);
}

void print_metrics(const Json& measured) {
  if (measured.is_null()) return;
  std::printf("reloaded ");
  for (const char* metric : {"accuracy", "balanced_accuracy", "perplexity", "loss"}) {
    if (measured.contains(metric)) std::printf(" %s %.4f", metric, measured[metric].get<double>());
  }
  std::printf(" on %s\n", measured["data"].get<std::string>().c_str());
}

int run_merge(const MergeConfig& c) {
  const fs::path run = c.run, out = c.target.out;
  const bool is_adapter = is_adapter_alone(c.run);
  if (is_adapter && c.adapter)
    throw Error(Exit::usage, "--adapter is given, but " + c.run + " is an adapter already",
                "leave --adapter out to write the whole model");
  const std::string weights = weights_of_run(run);
  if (weights == "nf4" && !c.adapter)
    note(
        "the run trained on NF4 weights: these are written, not the file's, so that the model is the one that was "
        "tuned");
  Json line = {{"out", out.string()}, {"dtype", c.target.dtype}};
  std::string of_step;
  {
    Session session({c.model, {.weights = weights, .threads = c.threads}});
    const TunedWeights tuned(session, run, c.step);
    if (tuned.step() == 0 && tuned.steps() > 0 && c.step < 0)
      note(
          "no step was better on the dev examples than the model itself, which is what is written; --step takes "
          "another");
    if (tuned.is_run()) {
      line.update({{"step", tuned.step()}, {"weights_sha256", tuned.sha256()}});
      of_step = ", weights after step " + std::to_string(tuned.step()) + " of " + std::to_string(tuned.steps());
    }
    write(tuned, session, c, out);
  }
  const Json record = fs::is_directory(run) && !is_adapter ? RunFolder::read_record(run) : Json::object();
  const Json measured = c.adapter ? Json() : measure(c, record, out);
  if (c.output.json) {
    line["format"] = out.extension() == ".gguf" ? "gguf" : "safetensors";
    line["bytes"] = bytes_below(out);
    if (is_peft_adapter(out)) line["base_name"] = base_folder(c).string();
    if (!measured.is_null()) line["reloaded"] = measured;
    print_line(line.dump());
    return 0;
  }
  std::printf("wrote     %s (%s%s)\n", out.c_str(), c.target.dtype.c_str(), of_step.c_str());
  print_metrics(measured);
  if (is_peft_adapter(out)) std::printf("%s", base_line(c, weights).c_str());
  return 0;
}

}  // namespace

void register_torch_job_verbs_merge(JobTable& table) { table.action<MergeConfig>("merge", run_merge); }

}  // namespace frugal
