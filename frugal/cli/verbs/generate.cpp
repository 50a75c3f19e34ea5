#include "frugal/cli/verbs/generate.h"

#include "frugal/cli/inspect.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/data/prompts.h"

namespace frugal {

namespace {
std::vector<std::string> prompts_of(const GenerateConfig& c) {
  return c.prompts.empty() ? std::vector<std::string>{c.prompt} : read_prompts(c.prompts);
}
}  // namespace

void validate(const GenerateConfig& c) {
  require_model(c.model);
  if (!c.prompt.empty() && !c.prompts.empty())
    throw Error(Exit::usage, "both --prompt and --prompts are given", "give one of them");
  if (c.prompts.empty()) require_given("--prompt", c.prompt, "--prompt \"Once upon a time\"");
  require_file("--prompts", c.prompts);
  require_at_least("--samples", c.samples, 1);
  require_at_least("--batch", c.batch, 1);
  validate(c.sampling);
  if (c.samples > 1 && (c.sampling.greedy || c.sampling.temperature == 0)) {
    throw Error(Exit::usage, "--samples is " + std::to_string(c.samples) + ", but greedy texts are all the same",
                "leave one of the two out");
  }
  validate(c.compute);
}

Verb generate_verb() {
  return {.name = "generate",
          .summary = "continue a text",
          .examples = {"frugal generate model.gguf --prompt \"Once upon a time\" --max-new-tokens 32 --greedy",
                       "frugal generate tuned/ --prompt \"Dear customer,\" --temperature 0.7 --top-p 0.9 --seed 3",
                       "frugal generate tuned/ --prompts prompts.jsonl --samples 4 --batch 16 --json > texts.jsonl"},
          .fields = describe_fields<GenerateConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<GenerateConfig>(settings.values());
            validate(config);
            refuse_unused_sampling(settings, config.sampling);
            check_prompts(*ModelSource::open(config.model), prompts_of(config));
            return run_torch("generate", settings.values());
          }};
}

}  // namespace frugal
