#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/formats/gguf/gguf_model.h"
#include "frugal/plan/cuts.h"
#include "frugal/plan/saturating.h"
#include "frugal/prune/common/refit_plan.h"
#include "frugal/prune/common/units.h"
#include "frugal/prune/registry.h"
#include "frugal/train/loop/run_config.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/inspect_data.h"
#include "frugal/verbs/common/kept_vocabulary.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/prune/config.h"
#include "frugal/verbs/prune/texts.h"

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

// What the format of the result can say, before anything is pruned.
void require_export(const PruneVerbConfig& c, const ModelSource& model, const Tokenizer& tokenizer) {
  const PruneConfig& p = c.prune;
  const ModelShape& shape = model.shape();
  if (p.layout == "uniform" && !shape.is_uniform())
    throw Error(Exit::usage, "--layout is uniform, but the layers of " + c.model + " differ",
                "--layout native or padded");
  if (!c.out.ends_with(".gguf")) return;
  require_gguf(tokenizer.model());
  if (p.layout != "native") return;
  ModelShape left = shape;
  std::erase(left.layers, LayerShape{});  // they are not written
  require_gguf(left);
  if (prune_methods().at(c.method).takes_layers || p.sparsity == 0) return;
  const std::string fix = ", --layout padded, or a Hugging Face folder: --out without .gguf";
  if (p.min_heads == 0)
    throw Error(Exit::usage, "--min-heads is 0, but GGUF's deci cannot say that layer 0 has no attention",
                "--min-heads 1" + fix);
  if (p.min_neurons == 0)
    throw Error(Exit::usage, "--min-neurons is 0, but GGUF's deci cannot say that a layer has attention alone",
                "--min-neurons " + std::to_string(p.neuron_multiple) + fix);
}

// How far heads, neurons and layers can go; a warning where that is not as far as --sparsity.
void require_reachable(const PruneVerbConfig& c, const ModelShape& shape) {
  const PruneConfig& p = c.prune;
  if (p.sparsity == 0) return;
  std::int64_t widest = 0;
  for (const LayerShape& layer : shape.layers) widest = std::max(widest, layer.ffn);
  const bool takes_layers = prune_methods().at(c.method).takes_layers;
  if (!takes_layers && p.neuron_multiple > widest)
    throw Error(Exit::usage,
                "--neuron-multiple is " + std::to_string(p.neuron_multiple) + ", but no layer has more than " +
                    std::to_string(widest) + " neurons",
                "--neuron-multiple 32 is usual");
  const Reach reach = takes_layers ? reach_of_layers(shape) : reach_of(shape, select_options(p, 0));
  const auto text = [](double share) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.4g", share);
    return std::string(digits);
  };
  const std::string limits = takes_layers ? "the last layer stays"
                                          : "--min-heads " + std::to_string(p.min_heads) + ", --min-neurons " +
                                                std::to_string(p.min_neurons) + " and --neuron-multiple " +
                                                std::to_string(p.neuron_multiple);
  if (reach.most == 0)
    throw Error(Exit::input, "nothing is left that can be removed from " + c.model + ": " + limits,
                takes_layers ? "choose another --method" : "give smaller ones, or --layout native");
  if (p.sparsity < reach.least)
    throw Error(Exit::usage,
                "--sparsity is " + text(p.sparsity) + ", but the smallest part that can go is " + text(reach.least) +
                    " of the blocks' parameters",
                "--sparsity " + text(std::ceil(reach.least * 1e4) / 1e4) +
                    (takes_layers ? ", or another --method" : ", or a smaller --neuron-multiple"));
  if (p.sparsity > reach.most)
    warn("--sparsity is " + text(p.sparsity) + ", but at most " + text(reach.most) +
         " of the blocks' parameters can go (" + limits + "): " + text(p.sparsity - reach.most) + " less");
}

struct ExampleSizes {
  std::int64_t longest = 0, all = 0;  // tokens of an example, of all
};

// Of --data as examples. Error: a file or a record that does not serve.
ExampleSizes sizes_of_examples(const PruneVerbConfig& c) {
  ExampleSizes sizes;
  const auto add = [&](std::size_t tokens) {
    sizes.longest = std::max(sizes.longest, static_cast<std::int64_t>(tokens));
    sizes.all += static_cast<std::int64_t>(tokens);
  };
  if (c.task.labels.empty()) {
    const InspectedSequences inspected(c.model, c.sequences());
    for (const std::string& path : {c.data, c.eval}) {
      if (path.empty()) continue;
      for (const Sequence& sequence : inspected.load(path, 0).sequences) add(sequence.tokens.size());
    }
    return sizes;
  }
  const InspectedTask inspected(c.model, c.task);
  std::size_t option = 0;
  for (const auto& tokens : inspected.task().options()) option = std::max(option, tokens.size());
  for (const std::string& path : {c.data, c.eval}) {
    if (path.empty()) continue;
    for (const Example& example : inspected.encode(path).data.examples) add(example.prompt.size() + option);
  }
  return sizes;
}

// How --data is read, and what masks may be judged by.
void settle_data(const Settings& given, PruneVerbConfig& c, Json& settings) {
  const std::string utility = settings.value("utility", std::string("nll"));
  if (c.task.labels.empty() && utility != "nll" && utility != "ppl")
    throw Error(Exit::usage, "--utility is " + utility + ", but there are no --labels",
                "--labels with the words that are scored, or --utility nll");
  if (!c.has_examples()) return refuse_data_flags(given, "--data is text");
  if (!c.task.labels.empty()) return validate(c.task);
  settings["max_length"] = c.task.max_length = sequence_config(given).max_length;
}

// What --budget leaves to be said, and where the model and its run go.
Checked check(const Settings& given) {
  Json settings = given.values();
  auto c = from_json<PruneVerbConfig>(settings);
  validate(c);
  prune_methods().at(c.method).validate(settings);
  settle_data(given, c, settings);
  const std::shared_ptr<const ModelSource> model = ModelSource::open(c.model);
  const auto tokenizer = model->tokenizer();
  require_export(c, *model, *tokenizer);
  require_reachable(c, model->shape());
  const std::int64_t context = model->shape().context > 0 ? model->shape().context : 2048;
  const Budget budget = budget_of(c.budget, context);
  for (const auto& [name, value] :
       {std::pair("masks", budget.masks), {"windows", budget.windows}, {"window_length", budget.window_length}}) {
    if (settings.contains(name) && settings[name] == 0) settings[name] = value;
  }
  const auto window = settings["window_length"].get<std::int64_t>();
  if (settings["reconstruct_windows"] == 0) settings["reconstruct_windows"] = refit_windows(model->shape(), window);
  check_context(*model, "--window-length", window);
  std::shared_ptr<const ModelSource> smaller = model;
  if (!c.prune.vocabulary_from.empty())
    smaller = with_vocabulary(model, kept_vocabulary(*model, c.prune.vocabulary_from));
  ExampleSizes examples;
  if (c.has_examples()) {
    examples = sizes_of_examples(c);
  } else if (c.prune.sparsity > 0) {
    const bool has_bos = tokenizer->model().add_bos && tokenizer->model().bos >= 0;
    PruneTexts(c, *smaller->tokenizer(), nullptr)
        .require_windows(settings["windows"].get<std::int64_t>(), window, has_bos);
  }
  settle_model_out(settings);
  PlanRequest request = plan_request(*model, c.compute, from_json<RunConfig>(given.values()).memory);
  request.all_tokens = true;
  // With fewer tokens the model as it is given is only measured.
  const MethodPlan first = plan_masks(request, 1, kMeasuredLength, 0);
  request.shape.vocab = smaller->shape().vocab;
  const RefitPlan refit = refit_of(c, settings, request.shape);
  // Prefixes while there are masks, refitted projections behind them.
  const std::uint64_t beside = std::max(prefix_bytes(settings, request.shape), refit.afterwards);
  const auto fits = [&](const MethodPlan& plan) { return request.memory == 0 || peak_of(plan) <= request.memory; };
  const bool has_masks = prune_methods().at(c.method).has_masks, is_open = has_masks && c.prune.masks_together == 0;
  std::int64_t masks = is_open ? masks_that_fill(window) : std::max<std::int64_t>(1, c.prune.masks_together);
  const auto plan_with = [&](std::int64_t together) {
    const std::int64_t of_examples = c.has_examples() ? 2 * std::max(kPackedTokens, examples.longest) : 0;
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
  require_file("--vocabulary-from", c.prune.vocabulary_from);
  require_at_least("--eval-windows", c.eval_windows, 0);
  validate(c.prune);
  validate(c.refit);
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
