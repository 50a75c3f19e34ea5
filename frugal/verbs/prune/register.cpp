#include <algorithm>
#include <iostream>

#include "frugal/base/print.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/data/text_windows.h"
#include "frugal/plan/cuts.h"
#include "frugal/plan/saturating.h"
#include "frugal/prune/registry.h"
#include "frugal/train/loop/run_config.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/prune/config.h"

namespace frugal {
namespace {

struct Budget {
  std::int64_t masks, windows, window_length;
};
Budget budget_of(const std::string& name, std::int64_t context) {
  if (name == "quick") return {64, 8, std::min<std::int64_t>(256, context)};
  if (name == "paper") return {200, 32, context};
  return {200, 32, std::min<std::int64_t>(256, context)};
}

// Of forwards with the rows of a window of the text that is measured, or of a window under so many masks. beside:
// bytes.
MethodPlan plan_masks(PlanRequest request, std::int64_t masks, std::int64_t window, std::uint64_t beside) {
  request.length = std::max(kMeasuredLength, masks * window);
  request.batch = std::max<std::int64_t>(1, kPackedTokens / request.length);
  if (request.memory > 0) request.memory = std::max(beside + 1, request.memory) - beside;  // 0 is no limit
  MethodPlan plan = plan_forward(request);
  plan.parts.push_back({"prefix", beside});
  return plan;
}

// Hidden states of all windows in front of a layer, in fp32: where masks of a block begin.
std::uint64_t prefix_bytes(const Json& settings, const ModelShape& shape) {
  if (settings.value("design", "") != "block") return 0;
  const Saturating rows =
      Saturating(settings["windows"].get<std::int64_t>()) * settings["window_length"].get<std::int64_t>();
  return (rows * shape.hidden * 4).count();
}

// What --budget leaves to be said, and where the model and its run go.
Checked check(const Settings& given) {
  Json settings = given.values();
  auto c = from_json<PruneVerbConfig>(settings);
  validate(c);
  prune_methods().at(c.method).validate(settings);
  const auto model = ModelSource::open(c.model);
  const std::int64_t context = model->shape().context > 0 ? model->shape().context : 2048;
  const Budget budget = budget_of(c.budget, context);
  for (const auto& [name, value] :
       {std::pair("masks", budget.masks), {"windows", budget.windows}, {"window_length", budget.window_length}}) {
    if (settings.contains(name) && settings[name] == 0) settings[name] = value;
  }
  const auto window = settings["window_length"].get<std::int64_t>();
  check_context(*model, "--window-length", window);
  settle_model_out(settings);
  PlanRequest request = plan_request(*model, c.compute, from_json<RunConfig>(given.values()).memory);
  request.all_tokens = true;
  const std::uint64_t beside = prefix_bytes(settings, request.shape);
  const auto fits = [&](const MethodPlan& plan) { return request.memory == 0 || peak_of(plan) <= request.memory; };
  const bool has_masks = prune_methods().at(c.method).has_masks, is_open = has_masks && c.prune.masks_together == 0;
  std::int64_t masks = is_open ? masks_that_fill(window) : std::max<std::int64_t>(1, c.prune.masks_together);
  MethodPlan plan = plan_masks(request, masks, window, beside);
  while (is_open && masks > 2 && !fits(plan)) plan = plan_masks(request, masks -= 2, window, beside);
  if (has_masks) settings["masks_together"] = masks;
  settings["choices"] = plan.choices;
  const std::uint64_t peak = peak_of(plan);
  if (request.memory > 0 && peak > request.memory)
    throw Error(Exit::budget,
                "frugal prune needs " + format_bytes(peak) + " but --memory is " + format_bytes(request.memory),
                "--memory " + format_budget(smallest_budget(peak)));
  Checked checked{settings};
  checked.facts["plan"] = {{"peak", peak}};
  checked.show = [=] {
    if (settings.value("json", false))
      print_json({{"settings", settings}, {"peak", peak}});
    else
      std::cout << "peak memory " << format_bytes(peak) << "\n";
    return 0;
  };
  return checked;
}

std::vector<Plugin> all_methods() {
  std::vector<Plugin> all;
  for (const PruneMethodInfo& method : prune_methods().all()) all.push_back(method);
  return all;
}

}  // namespace

void validate(const PruneVerbConfig& c) {
  require_model(c.model);
  require_given("--data", c.data, "--data text.txt");
  require_file("--data", c.data);
  require_file("--eval", c.eval);
  require_at_least("--eval-windows", c.eval_windows, 0);
  validate(c.prune);
  validate(c.compute);
}

void register_verbs_prune(SystemTable& table) {
  Action prune{.name = "", .summary = "a run", .fields = describe_fields<PruneVerbConfig>()};
  prune.choices = {{"method", all_methods}};
  prune.is_run = true;
  prune.plans_memory = true;
  prune.check = check;
  table.add(
      {.name = "prune",
       .summary = "remove heads and neurons by forward passes alone: a smaller, faster model",
       .source = "arXiv:2402.05406",
       .group = kLanguageModels,
       .examples = {"frugal prune model.gguf --data text.txt --sparsity 0.3 --budget quick --out small    (frugal "
                    "prune --resume small.run goes on)",
                    "frugal prune model.gguf --data text.txt --sparsity 0.5 --memory 1GiB --out small.gguf",
                    "frugal prune model.gguf --data text.txt --method flap --sparsity 0.2 --layout uniform --out "
                    "small"},
       .actions = {prune},
       .metrics = {{"perplexity_after", "", false}}});
}

}  // namespace frugal
