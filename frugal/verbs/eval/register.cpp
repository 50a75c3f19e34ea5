#include "frugal/verbs/eval/config.h"

#include <algorithm>

#include "frugal/base/validate.h"
#include "frugal/data/preference_task.h"
#include "frugal/data/text_windows.h"
#include "frugal/tune/registry.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/labels.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/common/read_once.h"

namespace frugal {
namespace {

// Refuses data or text that does not serve the model, and a budget that does not hold. Returns what the plan decides.
PlanChoices prepare(const EvalConfig& c, const Json& settings) {
  const RowChoice choice = choice_of(c, settings);
  if (c.objective == "dpo") {
    const auto config = from_json<SequenceConfig>(settings);
    const auto model = ModelSource::open(c.model);
    check_context(*model, "--max-length", config.max_length);
    const auto tokenizer = model->tokenizer();
    const PreferenceTask task(config, *tokenizer, model->chat_template(), model->shape().context);
    PreferenceDataset data = task.load(c.data, choice, data_guard(c.memory, c.data));
    PlanRequest request = plan_request(*model, c.compute, c.memory);
    request.example_bytes = kept_bytes(data, data.preferences.size());
    request.adapter_bytes = adapter_bytes(settings, request);
    request.length = static_cast<std::int64_t>(longest_preference(data));
    request.batch = c.batch;
    request.whole_head = request.all_tokens = true;
    keep_examples(config, c.data, choice, std::move(data));
    return require_fit_as(plan_methods(planners(), request), request, "eval", "--max-length").choices;
  }
  if (!c.data.empty() && c.task.labels.empty()) {
    const auto config = from_json<SequenceConfig>(settings);
    const InspectedSequences inspected(c.model, config);
    SequenceDataset data = inspected.load(c.data, choice, data_guard(c.memory, c.data));
    PlanRequest request = plan_request(inspected.model(), c.compute, c.memory);
    request.example_bytes = kept_bytes(data, data.sequences.size());
    request.adapter_bytes = adapter_bytes(settings, request);
    request.length = static_cast<std::int64_t>(longest_sequence(data));
    request.batch = c.batch;
    request.whole_head = request.all_tokens = true;
    if (c.generate)
      request.cached_tokens = cached_tokens(inspected.model(), data, inspected.tokenizer(), c.answers, c.batch);
    keep_examples(config, c.data, choice, std::move(data));
    return require_fit_as(plan_methods(planners(), request), request, "eval", "--max-length").choices;
  }
  if (!c.data.empty()) {
    const InspectedTask task(c.model, c.task);
    Dataset data = task.load(c.data, choice, data_guard(c.memory, c.data));
    PlanRequest request = plan_request(task, longest_prompt(data), c.compute, c.memory);
    request.example_bytes = kept_bytes(data, data.examples.size());
    request.adapter_bytes = adapter_bytes(settings, request);
    keep_examples(c.task, c.data, choice, std::move(data));
    request.batch = c.batch;
    return require_fit_as(plan_methods(planners(), request), request, "eval", "--max-length").choices;
  }
  const auto model = ModelSource::open(c.model);
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  check_context(*model, "--length", c.length);
  auto windows = text_windows(*model->tokenizer(), read_text(c.text), c.length);
  request.length = static_cast<std::int64_t>(windows.front().size());
  for (const auto& window : windows)
    request.example_bytes += sizeof window + list_bytes(window.size() * sizeof window[0]);
  handed().keep("windows", std::move(windows));
  request.adapter_bytes = adapter_bytes(settings, request);
  request.batch = std::clamp<std::int64_t>(kTextTokens / request.length, 1, c.batch);
  request.all_tokens = true;
  return require_fit_as(plan_methods(planners(), request), request, "eval", "--length").choices;
}

}  // namespace

void validate(const EvalConfig& c) {
  require_model(c.model);
  if (c.data.empty() == c.text.empty()) {
    throw Error(Exit::usage, c.data.empty() ? "neither --data nor --text is given" : "both --data and --text are given",
                "give one of them");
  }
  require_file("--data", c.data);
  require_file("--text", c.text);
  if (!c.data.empty() && !c.task.labels.empty()) validate(c.task);
  if (!c.predictions.empty()) {
    require_not_input("--predictions", c.predictions, {{"--data", c.data}, {"--text", c.text}, {"MODEL", c.model}});
    require_writable_file("--predictions", c.predictions);
  }
  require_at_least("--max-new-tokens", c.answers.max_new_tokens, 1);
  require_at_least("--limit", c.limit, 0);
  require_at_least("--seed", c.seed, 0);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  validate(c.compute);
}

namespace {

int run(const Settings& settings) {
  Json values = with_adapter(settings);
  take_data_of_run(settings, values);
  settle_labels(values);
  const auto config = from_json<EvalConfig>(values);
  validate(config);
  if (config.data.empty()) {
    refuse_flags(settings, {"template", "labels", "label_column", "columns", "max_length", "limit"},
                 "--text is evaluated as it is, without prompt and labels");
    refuse_flags(settings, {"data_format", "completion", "loss_on", "overlong", "generate", "predictions"},
                 "--text is evaluated as it is, without answers");
  } else {
    refuse_flags(settings, {"length"}, "it is for --text; --max-length is that of --data");
  }
  if (config.objective == "dpo") {
    refuse_flags(settings, {"labels", "text", "generate", "data_format", "completion", "loss_on"},
                 "--objective dpo reads pairs of answers");
    if (config.data.empty())
      throw Error(Exit::usage, "--objective dpo is given, but --data is missing", "--data preferences.jsonl");
    validate(config.dpo);
    if (!settings.is_given("max_length") && !is_run(config.adapter.adapter))
      values["max_length"] = SequenceConfig().max_length;
  } else if (!config.task.labels.empty()) {
    refuse_flags(settings, {"data_format", "completion", "loss_on", "overlong", "generate", "predictions"},
                 "with --labels label words are scored, not answers");
  } else if (!settings.is_given("max_length") && !is_run(config.adapter.adapter)) {
    values["max_length"] = SequenceConfig().max_length;  // sequences are longer than prompts
  }
  if (!config.generate) {
    refuse_flags(settings, {"match", "max_new_tokens", "predictions"}, "answers are written with --generate");
  } else if (config.sequence.loss_on != "answers") {
    throw Error(Exit::usage, "--generate writes the answers, but --loss-on is " + config.sequence.loss_on,
                "leave --loss-on out");
  }
  values["choices"] = prepare(config, values);
  return compute("eval", values);
}

}  // namespace

void register_verbs_eval(SystemTable& table) {
  Action score{.name = "", .summary = "scores of a model", .fields = describe_fields<EvalConfig>()};
  score.run = run;
  table.add({.name = "eval",
             .summary = "accuracy on labelled examples, scores of written answers, or perplexity on text",
             .group = kLanguageModels,
             .examples = {"frugal eval model.gguf --data dev.jsonl --template \"Review: {text}\\nSentiment:\" --labels "
                          "negative,positive",
                          "frugal eval model.gguf --data gsm8k.jsonl --template \"Question: {question}\\nAnswer:\" "
                          "--completion answer --generate --match answer --predictions answers.jsonl",
                          "frugal eval run    (a run of tune, on its own --test or --dev)",
                          "frugal eval model.gguf --text book.txt --length 512 --memory 600MiB"},
             .actions = {score}});
}

}  // namespace frugal
