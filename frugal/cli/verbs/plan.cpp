#include "frugal/cli/verbs/plan.h"

#include <iostream>

#include "frugal/cli/inspect.h"
#include "frugal/cli/plan_request.h"
#include "frugal/cli/print.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/plan/plan.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

int plan(const PlanConfig& c) {
  validate(c);
  const auto model = ModelSource::open(c.model);
  check_context(*model, "--length", c.length);
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  request.batch = c.batch;
  request.length = c.length;
  request.all_tokens = c.all_tokens;
  const auto rows = plan_methods(planners(), request);
  if (c.output.json)
    print_json(plan_json(request, rows));
  else
    std::cout << plan_table(request, rows);
  return 0;
}

}  // namespace

void validate(const PlanConfig& c) {
  require_model(c.model);
  require_at_least("--batch", c.batch, 1);
  require_at_least("--length", c.length, 2);
  validate(c.compute);
}

Verb plan_verb() {
  return {.name = "plan",
          .summary = "memory and time of every method for a model, before anything is loaded",
          .examples = {"frugal plan model.gguf", "frugal plan model.gguf --batch 8 --length 128 --memory 1GiB",
                       "frugal plan model/ --weights f32 --threads 8 --json"},
          .fields = describe_fields<PlanConfig>(),
          .run = [](const Settings& settings) { return plan(from_json<PlanConfig>(settings.values())); }};
}

}  // namespace frugal
