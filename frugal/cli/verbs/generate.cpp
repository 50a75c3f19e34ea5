#include "frugal/cli/verbs/generate.h"

#include <algorithm>

#include "frugal/cli/inspect.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"

namespace frugal {
namespace {

// Refuses a budget that does not hold; settings takes what the plan decides.
void prepare(const GenerateConfig& c, Json& settings) {
  const auto model = ModelSource::open(c.model);
  const std::int64_t prompt = check_prompt(*model, c.prompt);
  if (c.memory.count == 0) return;
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  request.batch = 1;
  request.length = std::max<std::int64_t>(1, prompt);
  const std::int64_t most = std::min(c.sampling.max_new_tokens, model->shape().context);
  request.cached_tokens = std::min(prompt + most, model->shape().context);
  request.whole_head = true;
  const MethodPlan plan = plan_forward(request);
  const std::uint64_t peak = peak_of(plan);
  if (peak <= request.memory) {
    settings.update(plan.choices);
    return;
  }
  std::string fix = "--memory " + format_budget(smallest_budget(peak));
  request.weights = "stored";
  if (const std::uint64_t stored = peak_of(plan_forward(request)); stored <= request.memory)
    fix = "--weights stored -> " + format_bytes(stored) + "; or " + fix;
  throw Error(Exit::budget, "generate needs " + format_bytes(peak) + " but --memory is " + format_bytes(request.memory),
              fix);
}

}  // namespace

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
            Json values = settings.values();
            prepare(config, values);
            return run_torch("generate", values);
          }};
}

}  // namespace frugal
