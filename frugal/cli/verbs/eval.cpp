#include "frugal/cli/verbs/eval.h"

#include "frugal/cli/inspect.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"

namespace frugal {

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
                       "frugal eval model.gguf --text book.txt --length 512"},
          .fields = describe_fields<EvalConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<EvalConfig>(settings.values());
            validate(config);
            if (!config.data.empty()) {
              const auto task = InspectedTask(config.model, config.task);
              task.encode(config.data, static_cast<std::size_t>(config.limit));
            } else {
              check_text(config.model, config.text, config.length);
            }
            return run_torch("eval", settings.values());
          }};
}

}  // namespace frugal
