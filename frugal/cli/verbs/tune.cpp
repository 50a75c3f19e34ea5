#include "frugal/cli/verbs/tune.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "frugal/base/log.h"
#include "frugal/base/units.h"
#include "frugal/cli/inspect.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/print.h"
#include "frugal/cli/report/report.h"
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

// What the data is and needs: described as it is trained, its longest example in tokens.
struct Inspected {
  PlanRequest request;  // but for the batch
  Json description;
  std::string text;
};

Inspected inspect_labels(const TuneConfig& c) {
  const InspectedTask task(c.model, c.task);
  const auto train = task.encode(c.data, static_cast<std::size_t>(c.train_size));
  Inspected found{.request = {},
                  .description = task.task().describe(train.records, train.data),
                  .text = task.task().describe_text(train.records, train.data)};
  std::size_t longest = longest_prompt(train.data);
  if (!c.dev.empty())
    longest = std::max(longest, longest_prompt(task.encode(c.dev, static_cast<std::size_t>(c.dev_size)).data));
  if (!c.test.empty())
    longest = std::max(longest, longest_prompt(task.encode(c.test, static_cast<std::size_t>(c.test_size)).data));
  found.request = plan_request(task, longest, c.compute, c.memory);
  if (!task.task().has_single_token_options())
    note("some label words are several tokens; their mean log-probability is the score");
  for (std::size_t i = 0; i < train.data.label_counts.size(); ++i) {
    if (train.data.label_counts[i] == 0)
      warn("no training example has the label '" + task.task().labels()[i].value + "'");
  }
  return found;
}

Inspected inspect_sequences(const TuneConfig& c, const Json& settings) {
  const auto model = ModelSource::open(c.model);
  Inspected found{.request = plan_request(*model, c.compute, c.memory)};
  found.request.whole_head = found.request.all_tokens = true;
  std::size_t longest = 0;
  const auto config = from_json<SequenceConfig>(settings);
  check_context(*model, "--max-length", config.max_length);
  const auto tokenizer = model->tokenizer();
  const SequenceTask task(config, *tokenizer, model->chat_template());
  const auto measure = [&](const std::string& path, std::int64_t limit) {
    SequenceDataset data = task.load(path, static_cast<std::size_t>(limit));
    for (const Sequence& sequence : data.sequences) longest = std::max(longest, sequence.tokens.size());
    return data;
  };
  const SequenceDataset train = measure(c.data, c.train_size);
  found.description = task.describe(train);
  found.text = task.describe_text(train);
  if (!c.dev.empty()) measure(c.dev, c.dev_size);
  if (!c.test.empty()) measure(c.test, c.test_size);
  found.request.length = static_cast<std::int64_t>(longest);
  return found;
}

std::string memory_line(const PlanRow& row) {
  std::string text = "memory of a step:";
  for (const auto& part : row.parts) text += " " + part.purpose + " " + format_bytes(part.bytes) + ",";
  return text + " in all " + format_bytes(row.peak);
}

// Refuses data that does not serve and a budget that does not hold, and shows what is trained and what it takes.
// settings: takes what the plan decides. Returns the data's description and the plan.
Json prepare(const Settings& given, const TuneConfig& c, Json& settings) {
  Inspected found = c.task.labels.empty() ? inspect_sequences(c, settings) : inspect_labels(c);
  PlanRequest& request = found.request;
  request.batch = c.batch;
  const std::vector<PlanRow> rows = plan_methods(planners(settings, c.method), request);
  if (!c.dry_run) {
    const PlanRow& row = require_fit_as(rows, request, c.method, "--max-length");
    for (const auto& [name, value] : row.choices.items()) settings[name] = value;
    settings["plan"] = plan_json(request, {row})["rows"][0];
  }
  say(changed_settings(given));
  say(found.text);
  for (const auto& row : rows) {
    if (row.method == c.method) say(memory_line(row));
  }
  if (c.dry_run && !c.output.json) std::cout << plan_table(request, rows);
  return {{"data", found.description}, {"plan", plan_json(request, rows)}};
}

// The page of a run that has ended, beside its records; a run that cannot be drawn is still a run.
void write_page(const std::string& run) {
  try {
    write_report(std::filesystem::path(run) / "report.html", {run});
    say("report    " + run + "/report.html");
  } catch (const Error& error) {
    warn(std::string("no report: ") + error.what());
  }
}

int start(const Settings& settings) {
  const auto config = from_json<TuneConfig>(settings.values());
  validate(config);
  methods().at(config.method).validate(settings.values());
  Json values = settings.values();
  // Sequences are longer than prompts: their own default where none is given.
  if (config.task.labels.empty() && !settings.is_given("max_length"))
    values["max_length"] = SequenceConfig().max_length;
  Json report = prepare(settings, config, values);
  if (!config.dry_run) {
    const int code = run_torch("tune", values);
    if (code == 0) write_page(config.out);
    return code;
  }
  if (config.output.json) {
    report["settings"] = values;
    print_json(report);
  }
  return 0;
}

int resume(const Settings& settings) {
  const int code = run_torch("tune", resume_settings(settings));
  if (code == 0) write_page(settings.at("resume").value.get<std::string>());
  return code;
}

}  // namespace

void validate(const TuneConfig& c) {
  require_model(c.model);
  require_given("--data", c.data, "--data train.jsonl");
  if (!c.task.labels.empty()) validate(c.task);
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
  if (c.compute.weights == "stored" && !methods().at(c.method).takes_stored) {
    throw Error(Exit::usage,
                "--weights is stored, but --method " + c.method + " changes the weights, expected bf16 or f32",
                "leave --weights out, or --method lora");
  }
}

Verb tune_verb() {
  return {
      .name = "tune",
      .summary = "fine-tune a model on labelled examples, completions, chats or text",
      .examples = {"frugal tune model.gguf --data train.jsonl --dev dev.jsonl --template \"Review: "
                   "{text}\\nSentiment:\" --labels negative,positive --out run",
                   "frugal tune model.gguf --data sms.tsv --columns label,text --template \"Message: {text}\\nIs "
                   "this spam?\" --labels ham=No,spam=Yes --balance "
                   "--method mezo --lr auto --memory 700MiB --out run",
                   "frugal tune model.gguf --data chats.jsonl --method lora --rank 8 --steps 300 --out run    (frugal "
                   "tune --resume run goes on)"},
      .fields = describe_fields<TuneConfig>(),
      .has_methods = true,
      .run = [](const Settings& settings) { return settings.is_given("resume") ? resume(settings) : start(settings); }};
}

}  // namespace frugal
