#include "frugal/verbs/common/tuned_model.h"

#include <filesystem>

#include "frugal/base/error.h"
#include "frugal/base/sha256.h"
#include "frugal/base/validate.h"
#include "frugal/formats/adapter/lora_adapter.h"
#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/common/data_config.h"
#include "frugal/verbs/common/data_parts.h"
#include "frugal/verbs/common/options.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// Weights that a run changed in place must be what it changed.
void settle_weights(const Settings& given, const Json& record, const std::string& run, Json& settings) {
  Json of_run = record["settings"];
  const std::string trained = of_run.value("weights", "bf16");
  if (!given.is_given("weights")) {
    settings["weights"] = trained;
    return;
  }
  const auto wanted = settings["weights"].get<std::string>();
  const std::string method = of_run.value("method", "");
  if (wanted != trained && !methods().at(method).leaves_weights(of_run))
    throw Error(Exit::usage, "--weights is " + wanted + ", but " + run + " changed the model's weights as " + trained,
                "leave --weights out, or write the model first: frugal merge MODEL " + run + " --out tuned");
}

}  // namespace

Json record_of_tuning(const std::string& run) {
  const Json record = RunFolder::read_record(run);
  const std::string action = record.value("action", "tune");
  if (action != "tune" && action != "adapt")
    throw Error(Exit::usage, run + " is a run of frugal " + action + ", which tuned no language model",
                "give a run of frugal tune or frugal adapt");
  return record;
}

bool is_run(const std::string& path) {
  std::error_code failed;
  const auto there = fs::symlink_status(fs::path(path) / "run.json", failed);
  return there.type() != fs::file_type::not_found && fs::is_directory(path, failed);
}

bool is_adapter_alone(const std::string& path) { return is_rows_adapter(path) || is_peft_adapter(path); }

void settle_adapter(const Settings& given, Json& settings) {
  std::string& model = settings["model"].get_ref<std::string&>();
  std::string& adapter = settings["adapter"].get_ref<std::string&>();
  if (is_run(model)) {
    if (!adapter.empty())
      throw Error(Exit::usage, "MODEL is the run " + model + ", but --adapter is given, too", "give one of them");
    adapter = model;
    model = record_of_tuning(adapter).value("base", Json::object()).value("path", "");
    std::error_code failed;
    if (!fs::exists(model, failed))
      throw Error(Exit::input, "the model that " + adapter + " began with is not at " + model + " any more",
                  "name it: MODEL --adapter " + adapter);
  } else if (is_peft_adapter(model)) {
    throw Error(Exit::input, model + " is a PEFT adapter, which has no weights of its own",
                "name its base: MODEL --adapter " + model);
  }
  if (!adapter.empty() && is_run(adapter)) {
    settle_weights(given, record_of_tuning(adapter), adapter, settings);
  } else if (given.is_given("step")) {
    throw Error(Exit::usage,
                "--step is given, but " + (adapter.empty() ? "no run" : adapter + ", which is no run") + " is used",
                "leave --step out, or name the run");
  } else if (!adapter.empty() && !is_adapter_alone(adapter)) {
    throw Error(Exit::input, "--adapter " + adapter + " holds neither run.json nor adapter_config.json",
                "give the folder that tune --out made, a PEFT adapter, or trained rows (.safetensors)");
  }
}

void take_data_of_run(const Settings& given, Json& settings) {
  const auto adapter = settings["adapter"].get<std::string>();
  if (!is_run(adapter)) return;
  const Json of_run = RunFolder::read_record(adapter)["settings"];
  const bool has_answers = given.is_given("completion") || given.is_given("generate");
  for (const auto& info : describe_fields<DataConfig>()) {
    const std::string name(info.field.name);
    if (has_answers && name == "labels") continue;
    if (name != "data" && name != "sample" && settings.contains(name) && !given.is_given(name) && of_run.contains(name))
      settings[name] = of_run[name];
  }
  if (settings.contains("objective") && !given.is_given("objective") && of_run.value("objective", "") == "dpo")
    settings["objective"] = "dpo";
  if (!settings.contains("data") || settings["data"] != "" || settings.value("text", "") != "") return;
  const auto config = from_json<DataConfig>(of_run);
  const auto seed = of_run.value("seed", std::int64_t{1});
  const DataParts parts = data_parts(config, static_cast<std::uint64_t>(seed));
  const DataPart& part = config.test.empty() ? parts.dev : parts.test;
  if (part.path.empty()) return;
  const Json known = RunFolder::read_record(adapter).value("files", Json::object());
  const std::string began = known.value(config.test.empty() ? "dev" : "test", Json::object()).value("sha256", "");
  require_file("the run's examples", part.path);
  if (!began.empty() && sha256_file(part.path) != began)
    throw Error(Exit::input, part.path + " is not as it was when " + adapter + " began",
                "put it back, or name examples with --data");
  settings["data"] = part.path;
  if (!given.is_given("limit")) settings["limit"] = part.choice.limit;
  if (!given.is_given("seed")) settings["seed"] = seed;
  if (!given.is_given("sample")) settings["sample"] = part.choice.is_sample ? "seeded" : "front";
  if (!part.choice.is_whole_file()) settings["share"] = {part.choice.from, part.choice.to};
}

std::uint64_t adapter_bytes(const Json& settings, const PlanRequest& request) {
  const auto adapter = settings.value("adapter", std::string());
  if (adapter.empty()) return 0;
  if (!is_run(adapter)) {  // its numbers in fp32, as they are read and as they are used
    std::error_code failed;
    const fs::path file =
        is_rows_adapter(adapter) ? fs::path(adapter) : fs::path(adapter) / "adapter_model.safetensors";
    const std::uintmax_t bytes = fs::file_size(file, failed);
    return failed ? 0 : 4 * static_cast<std::uint64_t>(bytes);
  }
  const Json of_run = RunFolder::read_record(adapter)["settings"];
  const std::string method = of_run.value("method", "");
  std::uint64_t bytes = 0;
  for (const PlanPart& part : methods().at(method).plan(request, of_run).parts) {
    for (const char* purpose : {"beside", "mask", "gradients", "optimizer"})
      bytes += part.purpose == purpose ? part.bytes : 0;
  }
  return bytes;
}

}  // namespace frugal
