#include "frugal/verbs/prune/plan.h"

#include <algorithm>

#include "frugal/plan/cuts.h"
#include "frugal/plan/saturating.h"
#include "frugal/prune/common/refit_plan.h"
#include "frugal/prune/registry.h"
#include "frugal/verbs/common/plan_request.h"

namespace frugal {
namespace {

// Of forwards with the rows of a window of the text that is measured, or of a window under so many masks. beside:
// bytes.
MethodPlan plan_masks(PlanRequest request, std::int64_t masks, std::int64_t window, std::uint64_t beside) {
  request.length = std::max(measured_length(request.shape.context), masks * window);
  request.batch = std::max<std::int64_t>(1, kPackedTokens / request.length);
  if (request.memory > 0) request.memory = std::max(beside + 1, request.memory) - beside;  // 0 is no limit
  MethodPlan plan = plan_forward(request);
  plan.parts.push_back({"beside", beside});
  return plan;
}

// Hidden states of all windows in front of a layer, in fp32: where masks of a block begin.
std::uint64_t prefix_bytes(const Json& settings, const ModelShape& shape) {
  if (settings.value("design", "") != "block") return 0;
  const Saturating rows =
      Saturating(settings["windows"].get<std::int64_t>()) * settings["window_length"].get<std::int64_t>();
  return (rows * shape.hidden * 4).count();
}

RefitPlan refit_of(const PruneVerbConfig& c, const Json& settings, const ModelShape& shape) {
  if (!c.refit.is_wanted()) return {};
  const std::int64_t window = settings["window_length"], windows = settings["reconstruct_windows"];
  return plan_refit(shape, windows * window, std::max(kPackedTokens, window));
}

// While projections are refitted the weights stay in the file, of which a layer is resident, and two models have
// scratch.
std::uint64_t peak_of_refit(const PlanRequest& request, const MethodPlan& forward, const RefitPlan& refit) {
  Saturating peak = refit.meanwhile;
  for (const PlanPart& part : forward.parts) {
    if (part.purpose == "weights" || part.purpose == "beside") continue;
    peak += part.bytes;
    if (part.purpose == "activations" || part.purpose == "scratch") peak += part.bytes;
  }
  return (peak + std::max(request.largest_tensor, request.file_bytes / request.shape.layers.size())).count();
}

}  // namespace

std::uint64_t plan_prune(const PruneVerbConfig& c, Json& settings, const ModelSource& model, std::int64_t vocab,
                         std::int64_t longest, Bytes memory) {
  PlanRequest request = plan_request(model, c.compute, memory);
  request.all_tokens = true;
  // With fewer tokens the model as it is given is only measured.
  const MethodPlan first = plan_masks(request, 1, measured_length(request.shape.context), 0);
  request.shape.vocab = vocab;
  const RefitPlan refit = refit_of(c, settings, request.shape);
  // Prefixes while there are masks, refitted projections behind them.
  const std::uint64_t beside = std::max(prefix_bytes(settings, request.shape), refit.afterwards);
  const auto fits = [&](const MethodPlan& plan) { return request.memory == 0 || peak_of(plan) <= request.memory; };
  const bool has_masks = prune_methods().at(c.method).has_masks, is_open = has_masks && c.prune.masks_together == 0;
  const std::int64_t window = settings["window_length"];
  std::int64_t masks = is_open ? masks_that_fill(window) : std::max<std::int64_t>(1, c.prune.masks_together);
  const auto plan_with = [&](std::int64_t together) {
    const std::int64_t of_examples = c.has_examples() ? 2 * std::max(kPackedTokens, longest) : 0;
    return plan_masks(request, 1, std::max(together * window, of_examples), beside);
  };
  MethodPlan plan = plan_with(masks);
  while (is_open && masks > 2 && !fits(plan)) plan = plan_with(masks -= 2);
  if (has_masks) settings["masks_together"] = masks;
  settings["choices"] = plan.choices;
  std::uint64_t peak = peak_of(plan);
  if (!c.prune.vocabulary_from.empty()) peak = std::max(peak, peak_of(first));
  if (c.refit.is_wanted()) peak = std::max(peak, peak_of_refit(request, plan, refit));
  if (request.memory > 0 && peak > request.memory)
    throw Error(Exit::budget,
                "frugal prune needs " + format_bytes(peak) + " but --memory is " + format_bytes(request.memory),
                "--memory " + format_budget(smallest_budget(peak)));
  return peak;
}

}  // namespace frugal
