#include "frugal/verbs/plan/config.h"

#include <cstdio>
#include <iostream>

#include "frugal/base/print.h"
#include "frugal/base/validate.h"
#include "frugal/plan/plan.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/common/auto_method.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/inspect_data.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/plan_request.h"

namespace frugal {
namespace {

// What decides a step's size: the data where it is given, else --length and --all-tokens.
PlanRequest request_of(const Settings& settings, const PlanConfig& c, Json& description) {
  if (!c.data.empty()) {
    refuse_flags(settings, {"length", "all_tokens"}, "--data decides it");
    DataFiles files;
    files.parts.data = {c.data, static_cast<std::size_t>(c.train_size)};
    files.are_preferences = c.objective == "dpo";
    InspectedData found = inspect_data(c.model, c.task, sequence_config(settings), files, c.compute, c.memory);
    description = std::move(found.description);
    return found.request;
  }
  refuse_data_flags(settings, "there is no --data");
  refuse_flags(settings, {"objective", "train_size"}, "there is no --data");
  const auto model = ModelSource::open(c.model);
  check_context(*model, "--length", c.length);
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  request.length = c.length;
  request.all_tokens = c.all_tokens;
  return request;
}

// What tune --method auto would take; what is missing where nothing fits.
std::string recommendation(PlanRequest request, const Settings& settings, const PlanConfig& c) {
  try {
    const AutoMethod found = choose_method(request, settings.is_given("weights"), c.objective);
    return "--method auto: " + found.reason + "\n";
  } catch (const Error& error) {
    return std::string(error.what()) + "; fix: " + error.fix() + "\n";
  }
}

// SST-2 stands for what comes of a method; other data differ.
PlanView view_of(const PlanRequest& request, const Settings& settings, const PlanConfig& c) {
  PlanView view{.has_parts = c.verbose, .learned_name = "SST-2 *"};
  for (const MethodInfo& method : methods().all()) {
    char digits[16];
    std::snprintf(digits, sizeof digits, "%.3f", method.sst2);
    if (method.sst2 > 0) view.learned[std::string(method.name)] = digits;
  }
  view.footer = "* accuracy of SmolLM2-135M after 100 steps of 16, 0.775 before: docs/choosing.md\n" +
                recommendation(request, settings, c);
  return view;
}

int plan(const Settings& settings) {
  Json values = settings.values();
  settle_labels(values);
  const auto c = from_json<PlanConfig>(values);
  validate(c);
  Json description;
  PlanRequest request = request_of(settings, c, description);
  request.batch = c.batch;
  auto rows = plan_methods(planners(), request);
  if (!c.data.empty()) {
    for (PlanRow& row : rows) row.what_gives = with_option(row.what_gives, "--max-length");
  }
  if (c.output.json) {
    Json json = plan_json(request, rows);
    if (!description.is_null()) json["data"] = description;
    print_json(json);
  } else {
    if (!c.data.empty()) {
      std::cout << c.data << ": " << request.batch << " sequences a step, the longest of " << request.length
                << " tokens, " << static_cast<std::int64_t>(request.mean_length + 0.5) << " on average\n";
    }
    std::cout << plan_table(request, rows, view_of(request, settings, c));
  }
  return 0;
}

}  // namespace

void validate(const PlanConfig& c) {
  require_model(c.model);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  require_at_least("--train-size", c.train_size, 0);
  if (!c.data.empty()) {
    require_file("--data", c.data);
    if (!c.task.labels.empty()) validate(c.task);
  }
  validate(c.compute);
}

void register_verbs_plan(SystemTable& table) {
  Action show{.name = "", .summary = "memory and time", .fields = describe_fields<PlanConfig>()};
  show.run = plan;
  table.add({.name = "plan",
             .summary = "memory and time of every method for a model, before anything is loaded",
             .group = kLanguageModels,
             .examples = {"frugal plan model.gguf", "frugal plan model.gguf --batch 8 --length 128 --memory 1GiB",
                          "frugal plan model/ --data chats.jsonl --batch 4 --memory 2GiB --json"},
             .actions = {show}});
}

}  // namespace frugal
