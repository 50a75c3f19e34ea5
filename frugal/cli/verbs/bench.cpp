#include "frugal/cli/verbs/bench.h"

#include "frugal/cli/inspect.h"
#include "frugal/cli/inspect_data.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/plan/cuts.h"

namespace frugal {
namespace {
constexpr std::string_view kForward = "forward";

// What a plan within --memory decides; Error(Exit::budget) when there is none.
Json choices_of(const BenchConfig& c, const Json& settings, const PlanRequest& request, const char* length) {
  if (c.memory.count == 0) return Json::object();
  std::vector<Planner> all = planners(settings, c.method);
  if (c.method == kForward) all = {{std::string(kForward), false, true, plan_forward}};
  return require_fit_as(plan_methods(all, request), request, c.method, length).choices;
}

constexpr std::int64_t kMostTokens = std::int64_t{1} << 22;  // of a step; they are not planned, and take 20 MiB

// What LibTorch's side gets: with --data the settings of tune's training data, checked here.
Json step_settings(const Settings& settings, const BenchConfig& c) {
  Json values = settings.values();
  const std::string objective = values.value("objective", "ce");
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
    values.update(choices_of(c, values, request, "--length"));
    return values;
  }
  refuse_flags(settings, {"length"}, "--data decides it");
  if (c.task.labels.empty()) values["max_length"] = sequence_config(settings).max_length;
  values["train_size"] = c.batch;
  DataFiles files{.data = c.data, .train_size = c.batch};
  files.are_pairs = objective == "dpo";
  InspectedData found = inspect_data(c.model, c.task, sequence_config(settings), files, c.compute, c.memory);
  found.request.batch = c.batch;
  values.update(choices_of(c, values, found.request, "--max-length"));
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

Verb bench_verb() {
  return {.name = "bench",
          .summary = "time one step and measure its memory",
          .examples = {"frugal bench step model.gguf --method mezo --batch 8 --length 128 --threads 2",
                       "frugal bench step model.gguf --method lora --data chats.jsonl --batch 4",
                       "frugal bench machine model.gguf --length 512"},
          .fields = describe_fields<BenchConfig>(),
          .has_methods = true,
          .plain_method = kForward,
          .run = [](const Settings& settings) {
            const auto config = from_json<BenchConfig>(settings.values());
            validate(config);
            if (config.what == "machine") {
              const std::string why = "bench machine times products and memory alone";
              refuse_flags(settings, {"method", "batch", "repeats", "data", "memory", "weights"}, why);
              refuse_data_flags(settings, why);
              if (config.length > kMostRows) {
                throw Error(Exit::usage,
                            "--length is " + std::to_string(config.length) + ", expected at most " +
                                std::to_string(kMostRows) + ": products have no more rows at a time",
                            "--length " + std::to_string(kMostRows) + " is the most");
              }
              return run_torch("bench", settings.values());
            }
            if (config.method != kForward) {
              methods().at(config.method).validate(settings.values());
              require_changeable_weights(config.method, settings.values());
              refuse_unused_pair_options(settings);
            }
            return run_torch("bench", step_settings(settings, config));
          }};
}

}  // namespace frugal
