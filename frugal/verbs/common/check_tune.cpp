#include "frugal/verbs/common/tune_config.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/common/auto_method.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/inspect_data.h"
#include "frugal/verbs/common/inspect_teacher.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/plan_request.h"

namespace frugal {
namespace {

// The settings that are not what they would be by themselves, a line each.
std::string changed_settings(const Settings& settings) {
  std::string text = "settings that differ from the defaults:";
  for (const auto& info : settings.fields()) {
    const auto& [value, origin] = settings.at(info.field.name);
    if (value == info.initial) continue;
    text += "\n  " + std::string(info.field.name) + " = " + shown_value(info, value) + "  (" + origin + ")";
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
  const bool is_dpo = settings.values().value("objective", "") == "dpo",
             is_distill = settings.values().value("objective", "") == "distill";
  if (!c.task.labels.empty() && is_dpo)
    throw Error(Exit::usage, "--labels is given, but --objective dpo takes pairs of answers", "leave one of them out");
  if (c.task.labels.empty() && settings.values().value("objective", "") == "accuracy")
    throw Error(Exit::usage, "--objective is accuracy, but the data has no labels",
                "give --labels, or leave --objective out");
  if (!is_dpo) refuse_flags(settings, {"dpo_beta", "dpo_label_smoothing"}, "it is for --objective dpo");
  if (!is_distill)
    refuse_flags(
        settings,
        {"teacher", "teacher_weights", "teacher_store", "teacher_words", "ce_weight", "kl_weight", "hidden_weight"},
        "it is for --objective distill");
  if (is_distill && !c.task.labels.empty())
    throw Error(Exit::usage, "--labels is given, but --objective distill learns to predict text",
                "leave --labels out: a column can be the answer, see --completion");
  if (is_distill) {
    require_given("--teacher", c.distill.teacher, "--teacher MODEL, the larger model to learn from");
    validate(c.distill);
  }
  if (!c.task.labels.empty())
    refuse_flags(settings, {"completion", "data_format", "loss_on", "overlong"}, "it is for data without --labels");
  else
    refuse_flags(settings, {"balance", "label_column"}, "it is for data with --labels");
  if (!c.task.labels.empty() || is_dpo)
    refuse_flags(settings, {"show"},
                 is_dpo ? "it is for data with one answer" : "labels are scored, nothing is written");
  if (!c.task.labels.empty()) return require_metric(c, "label words", {"loss", "accuracy", "balanced_accuracy", "f1"});
  if (!is_dpo) {
    require_metric(c, "sequences", {"loss", "exact_match", "f1", "rougeL"});
    if (c.writes_answers() && c.sequence.loss_on != "answers") {
      const bool is_metric = needs_answers(c.dev_metric);
      throw Error(Exit::usage,
                  (is_metric ? "--dev-metric " + c.dev_metric : "--show " + std::to_string(c.show)) +
                      " writes the answers, but --loss-on is " + c.sequence.loss_on,
                  std::string("leave --loss-on out, or ") + (is_metric ? "--dev-metric loss" : "--show"));
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
  if (row.choices.file_window > 0)
    text += "\nweights: streamed, " + format_bytes(row.choices.file_window) + " of the file at a time";
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

// What the data is, and what a step on it takes: the request of a plan. Refuses data that does not serve.
InspectedData inspected(const Settings& given, const TuneConfig& c, const Json& settings) {
  DataFiles files{data_parts(c, static_cast<std::uint64_t>(c.seed))};
  if (c.writes_answers()) files.answers = c.answers;
  files.are_preferences = settings.value("objective", "") == "dpo";
  InspectedData found = inspect_data(c.model, c.task, sequence_config(given), files, c.compute, c.memory);
  found.request.batch = c.batch;
  const auto lr = settings.find("lr");  // the race for a step size judges examples
  if (lr == settings.end() || !lr->is_number()) found.request.evaluates = true;
  return found;
}

// Of --objective distill: what the teacher takes, which stays in memory where that fits and nothing else is asked for.
void plan_teacher(const TuneConfig& c, Json& settings, PlanRequest& request,
                  const std::function<bool(const PlanRequest&)>& fits) {
  const auto teacher = open_teacher(c.distill, *ModelSource::open(c.model));
  std::string& store = settings["teacher_store"].get_ref<std::string&>();
  if (store == "stored" && c.distill.hidden_weight > 0)
    throw Error(Exit::usage, "--hidden-weight is above 0, but --teacher-store is stored", "--teacher-store live");
  PlanRequest live = request;
  add_teacher(*teacher, c.distill, true, live);
  const bool is_live = store == "live" || c.distill.hidden_weight > 0 || (store == "auto" && fits(live));
  store = is_live ? "live" : "stored";
  if (is_live)
    request = live;
  else
    add_teacher(*teacher, c.distill, false, request);
}

// Preferences are learnt in smaller steps, where none are given.
void settle_rate(const Settings& given, const MethodInfo& method, Json& settings) {
  if (settings.value("objective", "") == "dpo" && !given.is_given("lr") && method.dpo_lr > 0)
    settings["lr"] = method.dpo_lr;
}

// The method that `auto` takes, with its options at their defaults.
void choose(const Settings& given, TuneConfig& c, PlanRequest& request, Json& settings) {
  const AutoMethod chosen = choose_method(request, given.is_given("weights"), settings.value("objective", "ce"));
  say("method    " + chosen.reason);
  c.method = chosen.method;
  request.weights = chosen.weights;
  settings["method"] = chosen.method;
  settings["weights"] = name(chosen.weights);
  settings["auto"] = chosen.reason;
  for (const FieldInfo& info : methods().at(chosen.method).fields) {
    const std::string name(info.field.name);
    if (!settings.contains(name)) settings[name] = info.initial;
  }
  settle_rate(given, methods().at(chosen.method), settings);
}

void validate(const TuneConfig& c) {
  if (!c.task.labels.empty()) validate(c.task);
  for (const auto& [option, size] : {std::pair("--train-size", c.train_size),
                                     {"--dev-size", c.dev_size},
                                     {"--test-size", c.test_size},
                                     {"--seed", c.seed},
                                     {"--show", c.show},
                                     {"--eval-every", c.eval_every},
                                     {"--patience", c.patience}}) {
    require_at_least(option, size, 0);
  }
  for (const auto& [option, size] :
       {std::pair("--steps", c.steps), {"--batch", c.batch}, {"--checkpoint-every", c.checkpoint_every}}) {
    require_at_least(option, size, 1);
  }
  require_at_least("--max-new-tokens", c.answers.max_new_tokens, 1);
  require_setting(c.epochs >= 0 && c.epochs <= 1e6, "--epochs", c.epochs, "0 to 1000000",
                  "--epochs 1 takes every example once");
  validate(c.compute);
}

// The files that it reads are there, its folder is not.
void require_new_run(const TuneConfig& c) {
  require_model(c.model);
  require_given("--data", c.data, "--data train.jsonl");
  if (!c.dry_run) require_given("--out", c.out, "--out run");
  if (!c.out.empty()) require_new_folder(c.out);
  if (c.patience > 0 && c.dev.empty())
    throw Error(Exit::usage, "--patience is given, but there is no --dev to be judged by", "give --dev");
  if (c.show > 0 && c.dev.empty())
    throw Error(Exit::usage, "--show is given, but there is no --dev with prompts to answer", "give --dev");
  for (const auto& [option, path] : {std::pair("--data", &c.data), {"--dev", &c.dev}, {"--test", &c.test}}) {
    if (!is_share(*path)) require_file(option, *path);
  }
}

}  // namespace

Checked check_tune(const Settings& given) {
  Json settings = given.values();
  settle_labels(settings);
  if (settings["sample"] == "auto") settings["sample"] = "seeded";
  auto c = from_json<TuneConfig>(settings);
  validate(c);
  require_new_run(c);
  if (c.epochs > 0) refuse_flags(given, {"steps"}, "--epochs says how many there are");
  validate_data(given, c);
  if (c.method != kAuto) {
    const MethodInfo& method = methods().at(c.method);
    settle_rate(given, method, settings);
    validate_tune_settings(settings);
    require_changeable_weights(c.method, settings);
    method.refuse_unused(given);
    method.resolve(given, ModelSource::open(c.model)->shape(), settings);
  }
  if (c.task.labels.empty()) settings["max_length"] = sequence_config(given).max_length;
  InspectedData found = inspected(given, c, settings);
  if (c.epochs > 0) {
    const double steps = std::ceil(c.epochs * static_cast<double>(found.examples) / static_cast<double>(c.batch));
    settings["steps"] = c.steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(steps));
  }
  PlanRequest& request = found.request;
  if (settings.value("objective", "") == "distill") {
    plan_teacher(c, settings, request, [&](const PlanRequest& with) {
      if (with.memory == 0) return true;
      const std::vector<PlanRow> rows = plan_methods(planners(settings, c.method), with);
      return std::any_of(rows.begin(), rows.end(), [&](const PlanRow& row) {
        return row.fits && (row.method == c.method || (c.method == kAuto && row.is_tuning));
      });
    });
  }
  if (c.method == kAuto) choose(given, c, request, settings);
  const std::vector<PlanRow> rows = plan_methods(planners(settings, c.method), request);
  const auto row_that_fits = [=]() -> PlanRow {
    return require_room(rows, request, c.method, given.is_given("weights"), settings);
  };
  Checked checked;
  if (!c.dry_run) {  // refused before anything is said
    const PlanRow row = row_that_fits();
    settings["choices"] = row.choices;
    checked.facts["plan"] = plan_json(request, {row})["rows"][0];
  }
  say(changed_settings(given));
  say(found.text);
  for (const auto& row : rows) {
    if (row.method == c.method) say(memory_line(row));
  }
  checked.settings = settings;
  if (!c.dry_run) return checked;
  const Json description = found.description;
  checked.show = [=] {
    if (!c.output.json) {
      std::cout << plan_table(request, rows, {.has_parts = false}) << std::flush;
      row_that_fits();
      return 0;
    }
    print_json({{"data", description}, {"plan", plan_json(request, rows)}, {"settings", settings}});
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const PlanRow& each) { return each.method == c.method; });
    return row == rows.end() || row->fits ? 0 : static_cast<int>(Exit::budget);
  };
  return checked;
}

std::vector<Plugin> tuning_methods() {
  std::vector<Plugin> all = {{.name = kAuto,
                              .summary = "the first that fits the memory, by docs/choosing.md",
                              .fields = describe_fields<ObjectiveConfig>()}};
  all.insert(all.end(), methods().all().begin(), methods().all().end());
  return all;
}

void validate_tune_settings(const Json& settings) {
  const auto c = from_json<TuneConfig>(settings);
  validate(c);
  methods().at(c.method).validate(settings);
}

}  // namespace frugal
