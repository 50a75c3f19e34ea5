#include "frugal/cli/verbs/tune.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "frugal/base/log.h"
#include "frugal/base/units.h"
#include "frugal/cli/inspect.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/print.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"

namespace frugal {
namespace {

// The settings that may differ when a run goes on; all others come from its run.json.
constexpr std::string_view kResumable[] = {"resume", "memory", "threads", "json", "quiet"};

// {"resume": RUN} and those of kResumable that were given.
Json resume_settings(const Settings& settings) {
  const auto run = settings.at("resume").value.get<std::string>();
  if (!std::filesystem::is_regular_file(std::filesystem::path(run) / "run.json")) {
    throw Error(Exit::input, "--resume: " + run + " holds no run.json", "give the folder that tune --out made");
  }
  Json given = Json::object();
  for (const auto& info : settings.fields()) {
    const std::string name(info.field.name);
    if (!settings.is_given(name)) continue;
    if (std::find(std::begin(kResumable), std::end(kResumable), name) == std::end(kResumable)) {
      throw Error(
          Exit::usage,
          "--resume takes " + flag_name(name) + " from the run, but " + settings.at(name).origin + " gives it again",
          "leave it out, or start a new run with --out");
    }
    given[name] = settings.at(name).value;
  }
  return given;
}

// The settings that are not what they would be by themselves, a line each.
std::string changed_settings(const Settings& settings) {
  std::string text = "settings that differ from the defaults:";
  for (const auto& info : settings.fields()) {
    const auto& [value, origin] = settings.at(info.field.name);
    if (value == info.initial) continue;
    text += "\n  " + std::string(info.field.name) + " = " + value.dump(-1, ' ', false, Json::error_handler_t::replace) +
            "  (" + origin + ")";
  }
  return text;
}

// What the largest batch of this data needs: accumulation evaluates a batch in parts.
PlanRequest request_for(const TuneConfig& c, const Json& settings, const InspectedTask& task,
                        std::size_t longest_prompt) {
  std::size_t longest_option = 0;
  for (const auto& option : task.task().options()) longest_option = std::max(longest_option, option.size());
  const auto parts = settings.value("accumulation", std::int64_t{1});
  PlanRequest request = plan_request(task.model(), c.compute, c.memory);
  request.batch = (c.batch + parts - 1) / parts;
  request.length = static_cast<std::int64_t>(longest_prompt + longest_option);
  request.whole_head = !task.task().has_single_token_options();
  request.constant_mask = !settings.value("dynamic_mask", true);
  request.samples = settings.value("samples", std::int64_t{1});
  return request;
}

std::string memory_line(const PlanRow& row) {
  std::string text = "memory of a step:";
  for (const auto& part : row.parts) text += " " + part.purpose + " " + format_bytes(part.bytes) + ",";
  return text + " in all " + format_bytes(row.peak);
}

// Refuses data that does not serve and a budget that does not hold, and shows what is trained and what it takes.
// Returns the data's description and the plan.
Json prepare(const Settings& settings, const TuneConfig& c) {
  const InspectedTask task(c.model, c.task);
  const auto train = task.encode(c.data, static_cast<std::size_t>(c.train_size));
  std::size_t longest = 0;
  const auto measure = [&](const Dataset& data) {
    for (const auto& example : data.examples) longest = std::max(longest, example.prompt.size());
  };
  measure(train.data);
  if (!c.dev.empty()) measure(task.encode(c.dev, static_cast<std::size_t>(c.dev_size)).data);
  if (!c.test.empty()) measure(task.encode(c.test, static_cast<std::size_t>(c.test_size)).data);
  const PlanRequest request = request_for(c, settings.values(), task, longest);
  const std::vector<PlanRow> rows = plan_methods(request);
  if (!c.dry_run) require_fit(request, c.method);

  say(changed_settings(settings));
  say(task.task().describe_text(train.records, train.data));
  if (!task.task().has_single_token_options())
    note("some label words are several tokens; their mean log-probability is the score");
  for (std::size_t i = 0; i < train.data.label_counts.size(); ++i) {
    if (train.data.label_counts[i] == 0)
      warn("no training example has the label '" + task.task().labels()[i].value + "'");
  }
  for (const auto& row : rows) {
    if (row.method == c.method) say(memory_line(row));
  }
  if (c.dry_run && !c.output.json) std::cout << plan_table(request, rows);
  return {{"data", task.task().describe(train.records, train.data)}, {"plan", plan_json(request, rows)}};
}

int start(const Settings& settings) {
  const auto config = from_json<TuneConfig>(settings.values());
  validate(config);
  methods().at(config.method).validate(settings.values());
  Json report = prepare(settings, config);
  if (!config.dry_run) return run_torch("tune", settings.values());
  if (config.output.json) {
    report["settings"] = settings.values();
    print_json(report);
  }
  return 0;
}

}  // namespace

void validate(const TuneConfig& c) {
  require_model(c.model);
  require_given("--data", c.data, "--data train.jsonl");
  validate(c.task);
  if (!c.dry_run) require_given("--out", c.out, "--out run");
  if (!c.out.empty()) require_new_folder(c.out);
  for (const auto& [option, path] : {std::pair("--data", &c.data), {"--dev", &c.dev}, {"--test", &c.test}})
    require_file(option, *path);
  for (const auto& [option, size] : {std::pair("--train-size", c.train_size),
                                     {"--dev-size", c.dev_size},
                                     {"--test-size", c.test_size},
                                     {"--seed", c.seed},
                                     {"--eval-every", c.eval_every}}) {
    require_at_least(option, size, 0);
  }
  for (const auto& [option, size] :
       {std::pair("--steps", c.steps), {"--batch", c.batch}, {"--checkpoint-every", c.checkpoint_every}}) {
    require_at_least(option, size, 1);
  }
  validate(c.compute);
  if (c.compute.weights == "stored") {
    throw Error(Exit::usage, "--weights is stored, but tune changes the weights, expected bf16 or f32",
                "leave --weights out");
  }
}

Verb tune_verb() {
  return {.name = "tune",
          .summary = "fine-tune a model on labelled examples",
          .examples = {"frugal tune model.gguf --data train.jsonl --dev dev.jsonl --template \"Review: "
                       "{text}\\nSentiment:\" --labels negative,positive --out run",
                       "frugal tune model.gguf --data sms.tsv --columns label,text --template \"Message: {text}\\nIs "
                       "this spam?\" --labels ham=No,spam=Yes --balance "
                       "--method mezo --lr auto --memory 700MiB --out run",
                       "frugal tune --resume run"},
          .fields = describe_fields<TuneConfig>(),
          .has_methods = true,
          .run = [](const Settings& settings) {
            return settings.is_given("resume") ? run_torch("tune", resume_settings(settings)) : start(settings);
          }};
}

}  // namespace frugal
