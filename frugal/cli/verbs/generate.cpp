#include "frugal/cli/verbs/generate.h"

#include "frugal/cli/inspect.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"

namespace frugal {

void validate(const GenerateConfig& c) {
  require_model(c.model);
  require_given("--prompt", c.prompt, "--prompt \"Once upon a time\"");
  validate(c.sampling);
  validate(c.compute);
}

Verb generate_verb() {
  return {.name = "generate",
          .summary = "continue a text",
          .examples = {"frugal generate model.gguf --prompt \"Once upon a time\" --max-new-tokens 32 --greedy",
                       "frugal generate tuned/ --prompt \"Dear customer,\" --temperature 0.7 --top-p 0.9 --seed 3",
                       "frugal generate model.gguf --prompt \"The sea\" --weights stored --json"},
          .fields = describe_fields<GenerateConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<GenerateConfig>(settings.values());
            validate(config);
            refuse_unused_sampling(settings, config.sampling);
            check_prompt(*ModelSource::open(config.model), config.prompt);
            return run_torch("generate", settings.values());
          }};
}

}  // namespace frugal
