#include "frugal/cli/verbs/tune.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include "frugal/base/log.h"
#include "frugal/base/units.h"
#include "frugal/cli/auto_method.h"
#include "frugal/cli/inspect.h"
#include "frugal/cli/inspect_data.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/print.h"
#include "frugal/cli/report/report.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/formats/adapter/lora_adapter.h"

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

// The metric is one that the data has. kind: what the data is.
void require_metric(const TuneConfig& c, const char* kind, const std::vector<std::string>& names) {
  if (c.dev_metric == "auto") return;
  if (c.dev.empty())
    throw Error(Exit::usage, "--dev-metric is " + c.dev_metric + ", but there is no --dev", "give --dev examples");
  if (std::find(names.begin(), names.end(), c.dev_metric) != names.end()) return;
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  throw Error(Exit::usage, "--dev-metric is " + c.dev_metric + ", which " + kind + " have not", "choose one of " + all);
}

// What decides which options the data has: labels, or else the objective.
void validate_data(const Settings& settings, const TuneConfig& c) {
  const bool is_dpo = settings.values().value("objective", "") == "dpo";
  if (!c.task.labels.empty() && is_dpo)
    throw Error(Exit::usage, "--labels is given, but --objective dpo takes pairs of answers", "leave one of them out");
  if (c.task.labels.empty() && settings.values().value("objective", "") == "accuracy")
    throw Error(Exit::usage, "--objective is accuracy, but the data has no labels",
                "give --labels, or leave --objective out");
  if (!is_dpo) refuse_flags(settings, {"dpo_beta", "dpo_label_smoothing"}, "it is for --objective dpo");
  if (!c.task.labels.empty())
    refuse_flags(settings, {"completion", "data_format", "loss_on", "overlong"}, "it is for data without --labels");
  else
    refuse_flags(settings, {"balance", "label_column"}, "it is for data with --labels");
  if (!c.task.labels.empty()) return require_metric(c, "label words", {"loss", "accuracy", "balanced_accuracy", "f1"});
  if (!is_dpo) {
    require_metric(c, "sequences", {"loss", "exact_match", "f1", "rougeL"});
    if (needs_answers(c.dev_metric) && c.sequence.loss_on != "answers") {
      throw Error(Exit::usage,
                  "--dev-metric " + c.dev_metric + " writes the answers, but --loss-on is " + c.sequence.loss_on,
                  "leave --loss-on out, or --dev-metric loss");
    }
    return;
  }
  validate(c.dpo);
  refuse_flags(settings, {"data_format", "completion", "loss_on"}, "--objective dpo takes prompt, chosen and rejected");
  require_metric(c, "preferences", {"loss", "rewards/accuracies", "rewards/margins"});
}

std::string memory_line(const PlanRow& row) {
  std::string text = "memory of a step:";
  for (const auto& part : row.parts) text += " " + part.purpose + " " + format_bytes(part.bytes) + ",";
  text += " in all " + format_bytes(row.peak);
  if (const auto window = row.choices.find("file_window"); window != row.choices.end())
    text += "\nweights: streamed, " + format_bytes(window->get<std::uint64_t>()) + " of the file at a time";
  return text;
}

// The row of `method`, which fits. settings: its own; other methods have their defaults. Error(Exit::budget): it does
// not; what gives, and the method that needs the least.
const PlanRow& require_room(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method,
                            bool has_fixed_weights, const Json& settings) {
  try {
    return require_fit_as(rows, request, method, "--max-length");
  } catch (const Error& error) {
    if (error.code() != Exit::budget) throw;
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const PlanRow& each) { return each.method == method; });
    const CheapestMethod least =
        cheapest_method(planners(settings, method), request, has_fixed_weights, settings.value("objective", "ce"));
    if (least.options.empty()) throw;  // nothing can be tuned with these weights and this objective
    const std::string needs = least.bytes <= request.memory
                                  ? " (" + format_bytes(least.bytes) + ")"
                                  : " --memory " + format_budget(smallest_budget(least.bytes));
    throw Error(error.code(), error.what(),
                with_option(row->what_gives, "--max-length") + "; or " + least.options + needs +
                    ", the least of all; see frugal plan");
  }
}

// Refuses data that does not serve and a budget that does not hold, and shows what is trained and what it takes.
// settings: takes what the plan decides. Returns the data's description and the plan.
Json prepare(const Settings& given, TuneConfig& c, Json& settings) {
  DataFiles files{c.data, c.dev, c.test, c.train_size, c.dev_size, c.test_size};
  if (needs_answers(c.dev_metric)) files.answers = c.answers;
  files.are_pairs = settings.value("objective", "") == "dpo";
  InspectedData found = inspect_data(c.model, c.task, sequence_config(given), files, c.compute, c.memory);
  PlanRequest& request = found.request;
  request.batch = c.batch;
  const auto lr = settings.find("lr");
  if (lr == settings.end() || !lr->is_number()) request.evaluates = true;  // the race for a step size judges examples
  if (c.method == kAuto) {
    const AutoMethod chosen = choose_method(request, given.is_given("weights"), settings.value("objective", "ce"));
    say("method    " + chosen.reason);
    c.method = chosen.method;
    request.weights = chosen.weights;
    settings["method"] = chosen.method;
    settings["weights"] = chosen.weights;
    settings["auto"] = chosen.reason;
    for (const FieldInfo& info : methods().at(chosen.method).fields) {
      const std::string name(info.field.name);
      if (!settings.contains(name)) settings[name] = info.initial;
    }
  }
  const std::vector<PlanRow> rows = plan_methods(planners(settings, c.method), request);
  const auto row_that_fits = [&]() -> const PlanRow& {
    return require_room(rows, request, c.method, given.is_given("weights"), settings);
  };
  if (!c.dry_run) {  // refused before anything is said
    const PlanRow& row = row_that_fits();
    for (const auto& [name, value] : row.choices.items()) settings[name] = value;
    settings["plan"] = plan_json(request, {row})["rows"][0];
  }
  say(changed_settings(given));
  say(found.text);
  for (const auto& row : rows) {
    if (row.method == c.method) say(memory_line(row));
  }
  if (c.dry_run && !c.output.json) {  // as JSON the plan's rows say what fits
    std::cout << plan_table(request, rows) << std::flush;
    row_that_fits();
  }
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

// What an adapter that a run goes on from says of its pairs, and its dropout where none is given and there is a
// backward pass to drop in.
void take_pairs(const LoraAdapter& adapter, const Settings& given, Json& settings) {
  if (adapter.factors.empty()) return;
  const LowRankFactor& first = adapter.factors.front();
  std::set<std::string> targets;
  bool is_of_one_rank = true;
  for (const LowRankFactor& factor : adapter.factors) {
    targets.insert(factor.module.substr(factor.module.rfind('.') + 1));
    is_of_one_rank &= factor.rank == first.rank && factor.alpha == first.alpha;
  }
  if (is_of_one_rank) settings["rank"] = first.rank, settings["alpha"] = first.alpha;
  settings["targets"] = targets;
  settings["rslora"] = adapter.use_rslora;
  settings["dora"] = adapter.use_dora();
  if (given.has("optimizer") && !given.is_given("dropout")) settings["dropout"] = adapter.dropout;
}

int start(const Settings& settings) {
  auto config = from_json<TuneConfig>(settings.values());
  validate(config);
  validate_data(settings, config);
  if (config.method != kAuto) {
    methods().at(config.method).validate(settings.values());
    require_changeable_weights(config.method, settings.values());
  }
  refuse_unused_pair_options(settings);
  Json values = settings.values();
  if (const auto adapter = values.value("adapter", std::string()); settings.has("rank") && !adapter.empty())
    take_pairs(read_peft_adapter(adapter, ModelSource::open(config.model)->shape()), settings, values);
  if (config.task.labels.empty()) values["max_length"] = sequence_config(settings).max_length;
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
  require_at_least("--max-new-tokens", c.answers.max_new_tokens, 1);
  validate(c.compute);
}

Verb tune_verb() {
  return {
      .name = "tune",
      .summary = "fine-tune a model on labelled examples, completions, chats, preferences or text",
      .examples =
          {"frugal tune model.gguf --data train.jsonl --dev dev.jsonl --template \"Review: "
           "{text}\\nSentiment:\" --labels negative,positive --out run",
           "frugal tune model.gguf --data chats.jsonl --method lora --rank 8 --steps 300 --out run    (frugal "
           "tune --resume run goes on)",
           "frugal tune model.gguf --data pairs.jsonl --objective dpo --method lora --lr 1e-5 --steps 200 --out run"},
      .fields = describe_fields<TuneConfig>(),
      .has_methods = true,
      .plain_method = kAuto,
      .plain_fields = describe_fields<AutoConfig>(),
      .run = [](const Settings& settings) { return settings.is_given("resume") ? resume(settings) : start(settings); }};
}

}  // namespace frugal
