#include "frugal/verbs/merge/config.h"

#include <filesystem>

#include "frugal/base/validate.h"
#include "frugal/formats/adapter/rows_adapter.h"
#include "frugal/formats/export_dtype.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {
namespace {

// The settings, with the prompt's options from the run's record where they are not given.
Json with_run_task(const Settings& settings) {
  Json values = settings.values();
  const auto run = values["run"].get<std::string>();
  if (!is_run(run)) return values;
  const Json record = record_of_tuning(run).value("settings", Json::object());
  for (const auto& info : describe_fields<PromptConfig>()) {
    const std::string name(info.field.name);
    if (!settings.is_given(name) && record.contains(name)) values[name] = record[name];
  }
  return values;
}

bool is_of_preferences(const std::string& run) {
  if (!is_run(run)) return false;
  return RunFolder::read_record(run).value("settings", Json::object()).value("objective", "") == "dpo";
}

// Refuses examples that do not serve, and options for examples that are not there.
void check_data(const Settings& settings, const MergeConfig& c) {
  if (is_adapter_alone(c.run)) refuse_flags(settings, {"step"}, c.run + " is an adapter alone, which has no steps");
  if (!c.data.empty() && is_of_preferences(c.run)) {
    throw Error(
        Exit::usage,
        "--data is given, but " + c.run + " is a run of --objective dpo, whose loss needs the model it began with",
        "leave --data out; frugal eval measures the written model on other examples");
  }
  const std::string alone = c.run + (is_adapter_alone(c.run) ? ", an adapter alone," : ", a trajectory file alone,");
  if (c.data.empty()) {
    if (!is_run(c.run)) {
      refuse_flags(settings, {"template", "labels", "label_column", "columns", "max_length"},
                   alone + " names no examples and --data is missing");
    }
    return;
  }
  for (const auto& [option, is_missing] :
       {std::pair("--template", c.task.prompt_template.empty()), {"--labels", c.task.labels.empty()}}) {
    if (!is_missing || is_run(c.run)) continue;
    throw Error(Exit::usage, "--data is given, but " + alone + " records no prompt and " + option + " is missing",
                "give --template and --labels as tune had them, or the run's folder");
  }
  if (c.task.labels.empty() && is_run(c.run)) return;  // sequences: read when the model is measured
  validate(c.task);
  InspectedTask(c.model, c.task).load(c.data);
}

}  // namespace

void validate(const MergeConfig& c) {
  require_model(c.model);
  require_given("RUN", c.run, "frugal merge model.gguf run --out tuned");
  std::error_code failed;
  if (!std::filesystem::exists(c.run, failed))
    throw Error(Exit::input, "run " + c.run + " does not exist", "give the folder that tune --out made");
  if (std::filesystem::is_directory(c.run, failed) && !is_run(c.run) && !is_adapter_alone(c.run)) {
    throw Error(Exit::input, c.run + " holds neither run.json nor adapter_config.json",
                "give the folder that tune --out made, or a PEFT adapter");
  }
  require_not_input("--out", c.target.out, {{"MODEL", c.model}, {"RUN", c.run}, {"--data", c.data}});
  validate(c.target);
  if (!c.base_name.empty() && (!c.adapter || c.target.out.ends_with(".gguf") || is_rows_adapter(c.target.out)))
    throw Error(Exit::usage, "--base-name is given, but no PEFT folder is written", "--adapter --out pairs");
  if (c.adapter) find_export_dtype(c.target.dtype, true, "an adapter");
  require_file("--data", c.data);
  require_at_least("--step", c.step, -1);
  require_between("--threads", static_cast<double>(c.threads), 0, 1024);
}

namespace {

int run(const Settings& settings) {
  validate(from_json<MergeConfig>(settings.values()));
  Json values = with_run_task(settings);
  if (!values["data"].get<std::string>().empty()) settle_labels(values);
  const auto config = from_json<MergeConfig>(values);
  ModelSource::open(config.model);
  check_data(settings, config);
  return compute("merge", values);
}

}  // namespace

void register_verbs_merge(SystemTable& table) {
  Action write{.name = "", .summary = "a run as a model", .fields = describe_fields<MergeConfig>()};
  write.run = run;
  table.add({.name = "merge",
             .summary = "write a tuned model that other tools load",
             .group = kLanguageModels,
             .examples = {"frugal merge model.gguf run --out tuned",
                          "frugal merge model.gguf run --out tuned.gguf --dtype q8_0   (--adapter --out pairs: the "
                          "low-rank pairs alone, for PEFT)",
                          "frugal merge model.gguf trajectory.bin --out early --step 100 --data test.jsonl --template "
                          "\"Review: {text}\\nSentiment:\" --labels negative,positive"},
             .actions = {write}});
}

}  // namespace frugal
