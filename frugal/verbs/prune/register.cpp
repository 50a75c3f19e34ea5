#include <algorithm>
#include <iostream>
#include <numeric>

#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/data/prompt_task.h"
#include "frugal/data/sequence_task.h"
#include "frugal/formats/shrunk_model.h"
#include "frugal/plan/cuts.h"
#include "frugal/prune/common/refit_plan.h"
#include "frugal/prune/registry.h"
#include "frugal/train/loop/run_config.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/inspect_data.h"
#include "frugal/verbs/common/kept_vocabulary.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/model_out.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/prune/config.h"
#include "frugal/verbs/prune/limits.h"
#include "frugal/verbs/prune/plan.h"
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

// Of --data as examples of the model that masks are of. Error: a file or a record that does not serve.
ExampleSizes sizes_of_examples(const PruneVerbConfig& c, const ModelSource& model, bool writes_answers) {
  const auto tokenizer = model.tokenizer();
  std::vector<std::int64_t> sizes;  // those of --data, then those of --eval
  std::size_t of_data = 0;
  std::int64_t cached = 0;
  std::uint64_t bytes = 0;
  const auto read = [&](const auto& load) {
    for (const std::string& path : {c.data, c.eval}) {
      if (!path.empty()) load(path);
      if (path == c.data && of_data == 0) of_data = sizes.size();
    }
  };
  if (c.task.labels.empty()) {
    const SequenceTask task(c.sequences(), *tokenizer, model.chat_template(), model.shape().context);
    read([&](const std::string& path) {
      const SequenceDataset found = task.load(path);
      bytes += kept_bytes(found, found.sequences.size());
      for (const Sequence& sequence : found.sequences)
        sizes.push_back(static_cast<std::int64_t>(sequence.tokens.size()));
      if (writes_answers)
        cached = std::max(cached, cached_tokens(model, found, *tokenizer, c.answers, kAnswersTogether));
    });
  } else {
    const PromptTask task(c.task, *tokenizer);
    std::size_t option = 0;  // label words of several tokens all branch from their prompt
    for (const auto& tokens : task.options()) option = task.has_single_token_options() ? 1 : option + tokens.size();
    read([&](const std::string& path) {
      const Dataset found = task.load(path, c.task.columns, 0);
      bytes += kept_bytes(found, found.examples.size());
      for (const Example& example : found.examples)
        sizes.push_back(static_cast<std::int64_t>(example.prompt.size() + option));
    });
  }
  if (c.eval.empty()) of_data = sizes.size() - std::max<std::size_t>(1, sizes.size() / 10);
  const auto end_of_data = sizes.begin() + static_cast<std::ptrdiff_t>(of_data);
  return {*std::max_element(sizes.begin(), sizes.end()), std::accumulate(sizes.begin(), end_of_data, std::int64_t{0}),
          cached, bytes};
}

// How --data is read, and what masks may be judged by.
void settle_data(const Settings& given, PruneVerbConfig& c, Json& settings) {
  const std::string utility = settings.value("utility", std::string("nll"));
  const bool is_metric = utility != "nll" && utility != "ppl", writes = writes_answers(c, utility);
  if (is_metric && !c.has_examples())
    throw Error(Exit::usage, "--utility is " + utility + ", but --data is text",
                "--data with examples, or --utility nll");
  if (is_metric && c.task.labels.empty() && !writes)
    throw Error(Exit::usage, "--utility is " + utility + ", but there are no --labels",
                "--labels with the words that are scored, or --utility nll");
  if (is_metric && !c.task.labels.empty() && (utility == "exact_match" || utility == "rougeL"))
    throw Error(Exit::usage, "--utility is " + utility + ", but with --labels no answers are written",
                "--utility accuracy");
  if (writes && c.sequence.loss_on != "answers")
    throw Error(Exit::usage, "--utility is " + utility + " of answers, but --loss-on is " + c.sequence.loss_on,
                "leave --loss-on out");
  if (!writes) refuse_flags(given, {"match", "max_new_tokens"}, "--utility is " + utility + ", which needs no answers");
  if (!c.has_examples()) return refuse_data_flags(given, "--data is text");
  refuse_flags(given, {"eval_windows", "race_tolerance", "design"},
               "--data is examples, which are not cut into windows");
  if (!c.task.labels.empty()) return validate(c.task);
  settings["max_length"] = c.task.max_length = sequence_config(given).max_length;
}

// Options that this run would pass over.
void refuse_unread(const Settings& given, const PruneVerbConfig& c) {
  const Json& settings = given.values();
  if (!c.refit.is_wanted())
    refuse_flags(given, {"reconstruct_windows"}, "neither --reconstruct nor --compensate is given");
  if (prune_methods().at(c.method).takes_layers)
    refuse_flags(given, {"min_heads", "min_neurons", "neuron_multiple"},
                 "--method " + c.method + " takes whole layers");
  if (settings.value("regression", "") == "none")
    refuse_flags(given, {"utility", "masks", "masks_together", "design", "race_tolerance"},
                 "--regression none evaluates no masks");
  if (c.prune.layout == "uniform") refuse_flags(given, {"scope"}, "--layout uniform takes the same from every layer");
}

// What the method leaves out of its scores goes into biases, unless something else is asked for.
void settle_refit(const Settings& given, PruneVerbConfig& c, Json& settings) {
  if (!prune_methods().at(c.method).compensates || c.prune.sparsity == 0 || c.refit.is_wanted() ||
      given.is_given("compensate"))
    return;
  settings["compensate"] = c.refit.compensate = true;
}

// What --budget leaves to be said, and where the model and its run go.
Checked check(const Settings& given) {
  Json settings = given.values();
  settle_labels(settings);
  auto c = from_json<PruneVerbConfig>(settings);
  require_model(c.model);
  require_given("--data", c.data, "--data text.txt");
  require_file("--data", c.data);
  require_file("--eval", c.eval);
  require_file("--vocabulary-from", c.prune.vocabulary_from);
  validate_prune_settings(settings);
  settle_data(given, c, settings);
  settle_refit(given, c, settings);
  refuse_unread(given, c);
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
  if (c.has_examples()) examples = sizes_of_examples(c, *smaller, writes_answers(c, settings.value("utility", "")));
  if (c.has_examples() && !c.prune.vocabulary_from.empty()) examples.bytes *= 2;  // read by both vocabularies
  if (c.prune.sparsity > 0) {
    const auto tokens =
        c.has_examples() ? examples.pruned_on
                         : static_cast<std::int64_t>(
                               PruneTexts(c, measured_length(context), *smaller->tokenizer(), nullptr).tokens.size());
    const bool has_bos = tokenizer->model().add_bos && tokenizer->model().bos >= 0;
    constexpr std::uint64_t kToken = 2 * sizeof(std::int32_t);  // where windows are drawn from, and who draws them
    examples.bytes += static_cast<std::uint64_t>(tokens) * kToken;
    require_windows(tokens, settings["windows"], window, has_bos, "--windows", c.eval.empty());
    if (c.refit.windows > 0)
      require_windows(tokens, c.refit.windows, window, has_bos, "--reconstruct-windows", c.eval.empty());
  }
  settle_model_out(settings, c.prune.marks());
  const PrunePlan plan =
      plan_prune(c, settings, *model, smaller->shape().vocab, examples, from_json<RunConfig>(given.values()).memory);
  Checked checked{settings};
  checked.facts["plan"] = {{"peak", plan.peak}};
  constexpr double kLong = 600;
  if (plan.mask_seconds > kLong)
    note("forwards of masked models take about " + format_seconds(plan.mask_seconds) + " (--budget " + c.budget +
         (c.budget == "quick" ? ")" : "; quick is shorter)"));
  checked.show = [=] {
    if (settings.value("json", false))
      print_json({{"settings", settings}, {"peak", plan.peak}, {"mask_seconds", plan.mask_seconds}});
    else
      std::cout << "peak memory " << format_bytes(plan.peak) << "\n";
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

void validate_prune_settings(const Json& settings) {
  const auto c = from_json<PruneVerbConfig>(settings);
  require_at_least("--eval-windows", c.eval_windows, 0);
  validate(c.prune);
  validate(c.refit);
  validate(c.compute);
  prune_methods().at(c.method).validate(settings);
}

void register_verbs_prune(SystemTable& table) {
  Action prune{.name = "", .summary = "a run", .fields = describe_fields<PruneVerbConfig>()};
  prune.choices = {{"method", all_methods}};
  prune.is_run = true;
  prune.run_end = kRunEnd;
  prune.plans_memory = true;
  prune.check = check;
  prune.is_last_best = true;
  prune.next = {{"frugal adapt {out} --teacher {model} --data {data} --out repaired", "train what is left"},
                {"frugal eval {out} --text test.txt", "measure it on another text"},
                {"frugal convert {out} --out small.gguf --dtype q8_0", "write it as one file of fewer bits a weight"}};
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
