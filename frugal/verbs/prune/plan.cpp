#include "frugal/verbs/prune/plan.h"

#include <algorithm>

#include "frugal/plan/cuts.h"
#include "frugal/plan/saturating.h"
#include "frugal/prune/common/refit_plan.h"
#include "frugal/prune/common/units.h"
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

// Products that layers of other sizes bring: the widths of their feed-forwards, where a layer may lose four times what
// it loses on average, and their numbers of heads, two of each.
std::int64_t other_products(const PruneVerbConfig& c, const ModelShape& shape) {
  const auto layers = static_cast<std::int64_t>(shape.layers.size());
  std::int64_t widths = 0, heads = 0;
  for (const LayerShape& layer : shape.layers) {
    const double parts = static_cast<double>(layer.ffn) / static_cast<double>(c.prune.neuron_multiple);
    widths = std::max(widths, static_cast<std::int64_t>(std::min(1.0, 4 * c.prune.sparsity) * parts) + 1);
    heads = std::max(heads, layer.kv_heads);
  }
  return 2 * (c.prune.layout == "uniform" ? 2 : std::min(layers, widths) + std::min(layers, heads));
}

// The most that lies beside forwards of the model as it was given: for each model on the way the kernels of those so
// far, which masks, a look at units and what is measured run with other rows each, prefixes, and what chooses; for the
// last the projections that were refitted. A copy of the weights gets smaller meanwhile.
std::uint64_t beside_forwards(const PruneVerbConfig& c, const Json& settings, const PlanRequest& request,
                              const PruneMethodInfo& method, const RefitPlan& refit) {
  if (c.prune.sparsity == 0) return refit.afterwards;
  const PruneNeeds needs = method.needs ? method.needs(settings, request.shape) : PruneNeeds();
  const double number = request.weights == WeightType::stored ? 0
                        : request.weights == WeightType::nf4  ? 4.5 / 8
                        : request.weights == WeightType::f32  ? 4
                                                              : 2,
               linears = number * static_cast<double>(block_parameters(request.shape));
  const std::uint64_t choosing = (Saturating(prefix_bytes(settings, request.shape)) + needs.bytes).count();
  const std::int64_t products = other_products(c, request.shape), runs = method.has_masks ? 3 : 1;
  std::uint64_t most = 0;
  for (std::int64_t model = 0; model <= needs.models; ++model) {
    const bool is_last = model == needs.models;
    const Saturating shapes = Saturating(products) * (model * runs - (is_last ? runs - 1 : 0));
    const std::uint64_t kernels =
        request.bf16_compute ? kernel_bytes(std::min(shapes, Saturating(kPruningKernels)).count()) : 0;
    const double share = c.prune.sparsity * static_cast<double>(model) / static_cast<double>(needs.models);
    const std::uint64_t all = (Saturating(kernels) + (is_last ? refit.afterwards : choosing)).count();
    most = std::max(most, all - std::min(all, static_cast<std::uint64_t>(share * linears)));
  }
  return most;
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

// forward: of so many rows.
double mask_seconds(const Json& settings, const PruneNeeds& needs, const MethodPlan& forward, double rows) {
  if (settings.value("regression", "none") == "none") return 0;
  const auto number = [&](const char* name) { return settings[name].get<double>(); };
  const double of_run =
      static_cast<double>(needs.models) * number("masks") * number("windows") * number("window_length");
  return of_run / rows * forward.seconds_per_step;
}

}  // namespace

PrunePlan plan_prune(const PruneVerbConfig& c, Json& settings, const ModelSource& model, std::int64_t vocab,
                     const ExampleSizes& examples, Bytes memory) {
  PlanRequest request = plan_request(model, c.compute, memory);
  request.all_tokens = true;
  request.cached_tokens = examples.cached;
  request.example_bytes = examples.bytes;
  // With fewer tokens the model as it is given is only measured.
  const MethodPlan first = plan_masks(request, 1, measured_length(request.shape.context), 0);
  request.shape.vocab = vocab;
  const RefitPlan refit = refit_of(c, settings, request.shape);
  const PruneMethodInfo& method = prune_methods().at(c.method);
  const std::uint64_t beside = beside_forwards(c, settings, request, method, refit);
  const auto fits = [&](const MethodPlan& plan) { return request.memory == 0 || peak_of(plan) <= request.memory; };
  const bool has_masks = method.has_masks, is_open = has_masks && c.prune.masks_together == 0;
  const std::int64_t window = settings["window_length"];
  std::int64_t masks = is_open ? masks_that_fill(window) : std::max<std::int64_t>(1, c.prune.masks_together);
  const auto plan_with = [&](std::int64_t together) {
    const std::int64_t of_examples = c.has_examples() ? 2 * std::max(kPackedTokens, examples.longest) : 0;
    return plan_masks(request, 1, std::max(together * window, of_examples), beside);
  };
  MethodPlan plan = plan_with(masks);
  while (is_open && masks > 2 && !fits(plan)) plan = plan_with(masks -= 2);
  if (has_masks) settings["masks_together"] = masks;
  settings["choices"] = plan.choices;
  settings["choices"]["as_given"] = first.choices;
  std::uint64_t peak = peak_of(plan);
  double seconds = 0;
  if (has_masks && !c.has_examples())
    seconds = mask_seconds(settings, method.needs(settings, request.shape), plan,
                           static_cast<double>(std::max(kPackedTokens, masks * window)));
  if (!c.prune.vocabulary_from.empty()) peak = std::max(peak, peak_of(first));
  if (c.refit.is_wanted()) peak = std::max(peak, peak_of_refit(request, plan, refit));
  if (request.memory > 0 && peak > request.memory)
    throw Error(Exit::budget,
                "frugal prune needs " + format_bytes(peak) + " but --memory is " + format_bytes(request.memory),
                "--memory " + format_budget(smallest_budget(peak)));
  return {peak, seconds};
}

}  // namespace frugal
