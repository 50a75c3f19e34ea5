#include "frugal/verbs/generate/config.h"

#include <algorithm>

#include "frugal/base/handed.h"
#include "frugal/base/validate.h"
#include "frugal/data/prompts.h"
#include "frugal/plan/cuts.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/inspect.h"
#include "frugal/verbs/common/plan_request.h"

namespace frugal {
namespace {

constexpr std::int64_t kMostTexts = 1000000;

std::vector<std::string> prompts_of(const GenerateConfig& c) {
  if (!c.prompts.empty()) return read_prompts(c.prompts);
  return {c.chat.empty() ? c.prompt : c.chat};
}

// Refuses a budget that does not hold. Returns what the plan decides.
PlanChoices prepare(const GenerateConfig& c, const Json& settings) {
  const auto model = ModelSource::open(c.model);
  std::vector<std::string> prompts = prompts_of(c);
  std::vector<std::vector<std::int32_t>> ids;
  if (c.chat.empty())
    ids = check_prompts(*model, prompts);
  else
    ids.push_back(check_chat(*model, c.chat, c.system));
  const auto count = static_cast<std::int64_t>(prompts.size());
  std::int64_t prompt = 0;  // tokens of the longest
  for (const auto& each : ids) prompt = std::max(prompt, static_cast<std::int64_t>(each.size()));
  if (const auto texts = count * c.samples; texts > kMostTexts) {
    throw Error(Exit::usage,
                std::to_string(count) + " prompts and --samples " + std::to_string(c.samples) + " make " +
                    std::to_string(texts) + " texts, at most " + std::to_string(kMostTexts) + " go in one call",
                "split the file of prompts, or take fewer samples");
  }
  handed().keep("prompts", std::move(prompts));
  handed().keep("ids of prompts", std::move(ids));
  if (c.memory.count == 0) return {};
  PlanRequest request = plan_request(*model, c.compute, c.memory);
  request.adapter_bytes = adapter_bytes(settings, request);
  request.batch = 1;
  const std::int64_t together = std::min(c.batch, count * c.samples);
  request.length = std::max<std::int64_t>(1, together == 1 ? prompt : std::max(prompt, kPackedTokens));
  const std::int64_t most = std::min(c.sampling.max_new_tokens, model->shape().context);
  request.cached_tokens = (together + (c.samples > 1)) * std::min(prompt + most, model->shape().context);
  request.whole_head = true;
  const MethodPlan plan = plan_forward(request);
  const std::uint64_t peak = peak_of(plan);
  if (peak <= request.memory) return plan.choices;
  std::string fix = "--memory " + format_budget(smallest_budget(peak));
  request.weights = WeightType::stored;
  if (const std::uint64_t stored = peak_of(plan_forward(request)); stored <= request.memory)
    fix = "--weights stored -> " + format_bytes(stored) + "; or " + fix;
  throw Error(Exit::budget, "generate needs " + format_bytes(peak) + " but --memory is " + format_bytes(request.memory),
              fix);
}

}  // namespace

void validate(const GenerateConfig& c) {
  require_model(c.model);
  const std::pair<const char*, bool> given[] = {
      {"--prompt", !c.prompt.empty()}, {"--chat", !c.chat.empty()}, {"--prompts", !c.prompts.empty()}};
  std::string both;
  for (const auto& [option, is_given] : given) {
    if (is_given && !both.empty())
      throw Error(Exit::usage, "both " + both + " and " + option + " are given", "give one of them");
    if (is_given) both = option;
  }
  if (!c.system.empty() && c.chat.empty())
    throw Error(Exit::usage, "--system is given, but --chat is not", "give the question with --chat");
  if (both.empty()) require_given("--prompt", c.prompt, "--prompt \"Once upon a time\"");
  require_file("--prompts", c.prompts);
  require_between("--samples", static_cast<double>(c.samples), 1, kMostTexts);
  require_between("--batch", static_cast<double>(c.batch), 1, kMostTexts);
  validate(c.sampling);
  if (c.samples > 1 && (c.sampling.greedy || c.sampling.temperature == 0)) {
    throw Error(Exit::usage, "--samples is " + std::to_string(c.samples) + ", but greedy texts are all the same",
                "leave one of the two out");
  }
  validate(c.compute);
}

namespace {

int run(const Settings& settings) {
  Json values = with_adapter(settings);
  const auto config = from_json<GenerateConfig>(values);
  validate(config);
  refuse_unused_sampling(settings, config.sampling);
  if (config.prompts.empty() && config.samples == 1)
    refuse_flags(settings, {"batch"}, "one text of one --prompt is written alone");
  values["choices"] = prepare(config, values);
  return compute("generate", values);
}

}  // namespace

void register_verbs_generate(SystemTable& table) {
  Action write{.name = "", .summary = "text from a model", .fields = describe_fields<GenerateConfig>()};
  write.run = run;
  table.add({.name = "generate",
             .summary = "continue a text",
             .group = kLanguageModels,
             .examples = {"frugal generate model.gguf --prompt \"Once upon a time\" --max-new-tokens 32 --greedy",
                          "frugal generate model.gguf --adapter run --chat \"Where is my card?\" --greedy",
                          "frugal generate tuned/ --prompt \"Dear customer,\" --temperature 0.7 --top-p 0.9 --seed 3",
                          "frugal generate tuned/ --prompts prompts.jsonl --samples 4 --batch 16 --json > texts.jsonl"},
             .actions = {write}});
}

}  // namespace frugal
