#include "frugal/cli/verbs/eval.h"

#include <algorithm>

#include "frugal/cli/inspect.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/data/text_windows.h"

namespace frugal {
namespace {

// Refuses data or text that does not serve the model, and a budget that does not hold.
void prepare(const EvalConfig& c) {
  if (!c.data.empty()) {
    const InspectedTask task(c.model, c.task);
    const auto split = task.encode(c.data, static_cast<std::size_t>(c.limit));
    PlanRequest request = plan_request(task, longest_prompt(split.data), c.compute, c.memory);
    request.batch = c.batch;
    require_fit_as(plan_methods(planners(), request), request, "eval", "--max-length");
    return;
  }
  const auto model = ModelSource::open(c.model);
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  request.length = check_text(*model, c.text, c.length);
  request.batch = std::clamp<std::int64_t>(kTextTokens / request.length, 1, c.batch);
  request.all_tokens = true;
  require_fit_as(plan_methods(planners(), request), request, "eval", "--length");
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
  if (!c.data.empty()) validate(c.task);
  require_at_least("--limit", c.limit, 0);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  validate(c.compute);
}

Verb eval_verb() {
  return {.name = "eval",
          .summary = "accuracy on labelled examples, or perplexity on text",
          .examples = {"frugal eval model.gguf --data dev.jsonl --template \"Review: {text}\\nSentiment:\" --labels "
                       "negative,positive",
                       "frugal eval tuned/ --data test.tsv --columns label,text --template \"Message: {text}\\nIs this "
                       "spam?\" --labels ham=No,spam=Yes --json",
                       "frugal eval model.gguf --text book.txt --length 512 --memory 600MiB"},
          .fields = describe_fields<EvalConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<EvalConfig>(settings.values());
            validate(config);
            if (config.data.empty()) {
              refuse_flags(settings, {"template", "labels", "label_column", "columns", "max_length", "limit"},
                           "--text is evaluated as it is, without prompt and labels");
            } else {
              refuse_flags(settings, {"length"}, "it is for --text; --max-length is that of --data");
            }
            prepare(config);
            return run_torch("eval", settings.values());
          }};
}

}  // namespace frugal
