#include "frugal/cli/verbs/bench.h"

#include "frugal/cli/inspect.h"
#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"

namespace frugal {
namespace {
constexpr std::string_view kForward = "forward";
}

void validate(const BenchConfig& c) {
  require_model(c.model);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  require_at_least("--repeats", c.repeats, 1);
  validate(c.compute);
  if (c.method != kForward && c.compute.weights == "stored" && !methods().at(c.method).takes_stored) {
    throw Error(Exit::usage,
                "--weights is stored, but --method " + c.method + " changes the weights, expected bf16 or f32",
                "leave --weights out");
  }
}

Verb bench_verb() {
  return {.name = "bench",
          .summary = "time one step and measure its memory",
          .examples = {"frugal bench step model.gguf --method mezo --batch 8 --length 128 --threads 2",
                       "frugal bench step model.gguf --method sparse-mezo --direction sign --json",
                       "frugal bench step model.gguf --method forward --weights f32"},
          .fields = describe_fields<BenchConfig>(),
          .has_methods = true,
          .plain_method = kForward,
          .run = [](const Settings& settings) {
            const auto config = from_json<BenchConfig>(settings.values());
            validate(config);
            if (config.method != kForward) methods().at(config.method).validate(settings.values());
            check_context(*ModelSource::open(config.model), "--length", config.length);
            return run_torch("bench", settings.values());
          }};
}

}  // namespace frugal
