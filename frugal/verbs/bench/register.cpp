#include "frugal/verbs/bench/config.h"

#include "frugal/base/validate.h"
#include "frugal/plan/cuts.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/inspect_data.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {
namespace {
constexpr std::string_view kForward = "forward";

// What a plan within --memory decides; Error(Exit::budget) when there is none.
PlanChoices planned(const BenchConfig& c, const Json& settings, const PlanRequest& request, const char* length) {
  if (c.memory.count == 0) return {};
  std::vector<Planner> all = planners(settings, c.method);
  if (c.method == kForward) all = {{std::string(kForward), false, true, plan_forward}};
  return require_fit_as(plan_methods(all, request), request, c.method, length).choices;
}

constexpr std::int64_t kMostTokens = std::int64_t{1} << 22;  // of a step; they are not planned, and take 20 MiB

// What LibTorch's side gets: with --data the settings of tune's training data, checked here.
Json step_settings(const Settings& settings, Json values, const BenchConfig& c) {
  const std::string objective = values.value("objective", "ce");
  if (objective == "distill")
    throw Error(Exit::usage, "--objective is distill, which needs a teacher's words before a step",
                "time --objective ce; a live teacher takes a forward pass more, see --method forward");
  if (c.data.empty()) {
    refuse_data_flags(settings, "there is no --data");
    if (objective != "ce")
      throw Error(Exit::usage, "--objective is " + objective + ", but random tokens have only ce", "give --data");
    if (c.batch > kMostTokens / c.length) {
      throw Error(Exit::usage,
                  "--batch " + std::to_string(c.batch) + " of --length " + std::to_string(c.length) +
                      " are more tokens a step than " + std::to_string(kMostTokens),
                  "a smaller --batch: time grows with the tokens");
    }
    const auto model = ModelSource::open(c.model);
    check_context(*model, "--length", c.length);
    PlanRequest request = plan_request(*model, c.compute, c.memory);
    request.batch = c.batch;
    request.length = c.length;
    request.whole_head = request.all_tokens = true;
    if (c.method == kForward) request.adapter_bytes = adapter_bytes(values, request);
    values["choices"] = planned(c, values, request, "--length");
    return values;
  }
  refuse_flags(settings, {"length"}, "--data decides it");
  if (c.task.labels.empty()) values["max_length"] = sequence_config(settings).max_length;
  values["train_size"] = c.batch;
  values["sample"] = "front";
  DataFiles files;
  files.parts.data = {c.data, static_cast<std::size_t>(c.batch)};
  files.are_preferences = objective == "dpo";
  InspectedData found = inspect_data(c.model, c.task, sequence_config(settings), files, c.compute, c.memory);
  found.request.batch = c.batch;
  if (c.method == kForward) found.request.adapter_bytes = adapter_bytes(values, found.request);
  values["choices"] = planned(c, values, found.request, "--max-length");
  const auto tokens = static_cast<double>(c.batch) * found.request.mean_length;
  values["tokens"] = static_cast<std::int64_t>(tokens + 0.5);
  return values;
}

}  // namespace

void validate(const BenchConfig& c) {
  require_model(c.model);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  require_at_least("--repeats", c.repeats, 1);
  validate(c.compute);
  if (!c.data.empty()) {
    require_file("--data", c.data);
    if (!c.task.labels.empty()) validate(c.task);
  }
}

void validate(const MachineConfig& c) {
  require_model(c.model);
  require_between("--length", static_cast<double>(c.length), 2, static_cast<double>(kMostRows));
  require_between("--threads", static_cast<double>(c.threads), 0, 1024);
}

namespace {

int run_step(const Settings& settings) {
  const bool is_forward = settings.values()["method"] == kForward;
  Json values = is_forward ? with_adapter(settings) : settings.values();
  settle_labels(values);
  const auto config = from_json<BenchConfig>(values);
  validate(config);
  if (config.method != kForward) {
    const MethodInfo& method = methods().at(config.method);
    method.validate(settings.values());
    require_changeable_weights(config.method, settings.values());
    method.refuse_unused(settings);
  }
  return compute("bench step", step_settings(settings, std::move(values), config));
}

std::vector<Plugin> timed() {
  std::vector<Plugin> all = {
      {.name = kForward, .summary = "one plain forward pass and loss", .fields = describe_fields<AdapterConfig>()}};
  all.insert(all.end(), methods().all().begin(), methods().all().end());
  return all;
}

Action step_action(std::string_view name) {
  Action step{.name = name, .summary = "seconds and memory of one step", .fields = describe_fields<BenchConfig>()};
  step.choices = {{"method", timed}};
  step.run = run_step;
  return step;
}

}  // namespace

void register_verbs_bench(SystemTable& table) {
  table.add({.name = "bench",
             .summary = "time one step and measure its memory",
             .group = kLanguageModels,
             .examples = {"frugal bench step model.gguf --method mezo --batch 8 --length 128 --threads 2",
                          "frugal bench step model.gguf --method lora --data chats.jsonl --batch 4",
                          "frugal bench machine model.gguf --length 512"},
             .actions = {step_action("step"), step_action(""),
                         describe_action<MachineConfig>(
                             "machine", "rates of products and memory at the model's sizes",
                             [](const MachineConfig& c) { return compute("bench machine", to_json(c)); })}});
}

}  // namespace frugal
