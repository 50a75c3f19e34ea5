#include <algorithm>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/handed.h"
#include "frugal/base/log.h"
#include "frugal/base/validate.h"
#include "frugal/data/chat_records.h"
#include "frugal/data/data_format.h"
#include "frugal/formats/model_source.h"
#include "frugal/verbs/chat/config.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/plan_request.h"
#include "frugal/verbs/common/tuned_model.h"

namespace frugal {

namespace fs = std::filesystem;

std::vector<NamedAdapter> named_adapters(const std::vector<std::string>& adapters) {
  std::vector<NamedAdapter> all;
  std::error_code failed;
  for (const std::string& given : adapters) {
    const std::size_t equals = given.find('=');
    NamedAdapter one{fs::path(given).filename().string(), given};
    if (equals != std::string::npos && !fs::exists(given, failed))
      one = {given.substr(0, equals), given.substr(equals + 1)};
    if (one.name.empty()) one.name = one.path;
    if (std::any_of(all.begin(), all.end(), [&](const NamedAdapter& other) { return other.name == one.name; }))
      throw Error(Exit::usage, "--adapter names '" + one.name + "' twice",
                  "--adapter first=PATH,second=PATH gives each a name of its own");
    all.push_back(one);
  }
  return all;
}

void validate(const ChatConfig& c) {
  require_model(c.model);
  require_at_least("--context", c.context, 0);
  validate(c.sampling);
  validate(c.compute);
}

namespace {

PlanRequest request_of(const Json& settings) {
  return plan_request(*ModelSource::open(settings["model"].get<std::string>()), from_json<ComputeConfig>(settings),
                      Bytes{settings["memory"].get<std::uint64_t>()});
}

// MODEL and every adapter settled; the adapters' bytes in memory.
std::uint64_t settle_adapters(const Settings& given, Json& settings, const std::vector<NamedAdapter>& adapters) {
  std::uint64_t bytes = 0;
  for (const NamedAdapter& each : adapters) {
    Json one = settings;
    one["adapter"] = each.path;
    settle_adapter(given, one);
    if (&each != &adapters.front() && settings["weights"] != one["weights"])
      throw Error(Exit::usage,
                  each.path + " trained over " + one["weights"].get<std::string>() + " weights, the others over " +
                      settings["weights"].get<std::string>(),
                  "say which to use: --weights " + settings["weights"].get<std::string>());
    settings["weights"] = one["weights"];
    bytes += adapter_bytes(one, request_of(one));
  }
  return bytes;
}

// The longest conversation that fits --memory; of a question and an answer at least. choices: what the plan of it
// decides.
std::int64_t context_of(const ChatConfig& c, PlanRequest request, std::int64_t most, PlanChoices& choices) {
  constexpr std::int64_t kLeast = 256;
  request.batch = 1;
  request.whole_head = true;
  const auto peak = [&](std::int64_t context) {
    request.length = context;
    request.cached_tokens = context;
    const MethodPlan plan = plan_forward(request);
    choices = plan.choices;
    return peak_of(plan);
  };
  if (c.memory.count == 0 || peak(most) <= c.memory.count) return most;
  const std::int64_t least = std::min(most, kLeast);
  if (c.context > 0 || peak(least) > c.memory.count) {
    const std::int64_t asked = c.context > 0 ? most : least;
    throw Error(Exit::budget,
                "chat needs " + format_bytes(peak(asked)) + " for a conversation of " + std::to_string(asked) +
                    " tokens, but --memory is " + format_bytes(c.memory.count),
                "--memory " + format_budget(smallest_budget(peak(asked))) +
                    (c.context > 0 ? ", or a smaller --context" : "") +
                    (request.weights == WeightType::stored ? "" : ", or --weights stored"));
  }
  std::int64_t fits = least;
  for (std::int64_t context = least; context <= most; context += 64) {
    if (peak(context) <= c.memory.count) fits = context;
  }
  peak(fits);
  note("--memory holds a conversation of " + std::to_string(fits) + " of the model's " + std::to_string(most) +
       " tokens");
  return fits;
}

// The messages of --history, where it is there.
std::vector<Message> read_history(const std::string& path) {
  std::error_code failed;
  if (path.empty() || !fs::exists(path, failed) || fs::file_size(path, failed) == 0) return {};
  if (!path.ends_with(".jsonl"))
    throw Error(Exit::usage, "--history is " + path + ", expected a file that ends in .jsonl", "--history chat.jsonl");
  const ChatRecords records = read_chat_records(path);
  if (records.table.rows.size() != 1)
    throw Error(
        Exit::input,
        "--history " + path + " holds " + std::to_string(records.table.rows.size()) + " conversations, expected one",
        "name the file that an earlier chat wrote, or a new one");
  return conversation(records, 0, detect_format(records), true);
}

int run(const Settings& given) {
  Json settings = given.values();
  auto adapters = named_adapters(settings["adapter"].get<std::vector<std::string>>());
  if (const auto model = settings["model"].get<std::string>(); is_run(model)) {
    if (!adapters.empty())
      throw Error(Exit::usage, "MODEL is the run " + model + ", but --adapter is given, too", "give one of them");
    adapters = named_adapters({model});
    Json one = settings;
    one["adapter"] = "";
    settle_adapter(given, one);
    settings["model"] = one["model"];
    settings["adapter"] = {model};
  }
  const std::uint64_t adapter_bytes = settle_adapters(given, settings, adapters);
  const auto config = from_json<ChatConfig>(settings);
  validate(config);
  refuse_unused_sampling(given, config.sampling);
  if (!config.history.empty()) require_writable_file("--history", config.history);
  const auto model = ModelSource::open(config.model);
  if (model->chat_template().empty())
    note(config.model + " has no chat template: a plain one is used, as tune uses it (User: ... Assistant: ...)");
  const std::int64_t whole = model->shape().context > 0 ? model->shape().context : 2048;
  if (config.context > whole)
    throw Error(Exit::usage,
                "--context is " + std::to_string(config.context) + ", but the model's is " + std::to_string(whole),
                "--context " + std::to_string(whole));
  PlanRequest request = request_of(settings);
  request.adapter_bytes = adapter_bytes;
  PlanChoices choices;
  settings["context"] = context_of(config, request, config.context > 0 ? config.context : whole, choices);
  settings["choices"] = choices;
  const bool is_there = !config.history.empty() && fs::exists(config.history);
  handed().keep("text of history", is_there ? read_file(config.history) : std::string());  // before it is parsed
  handed().keep("history", read_history(config.history));
  return compute("chat", settings);
}

}  // namespace

void register_verbs_chat(SystemTable& table) {
  Action talk{.name = "", .summary = "a conversation", .fields = describe_fields<ChatConfig>()};
  talk.run = run;
  table.add(
      {.name = "chat",
       .summary = "talk with a model through its chat template",
       .group = kLanguageModels,
       .examples = {"frugal chat model.gguf",
                    "frugal chat model.gguf --system \"Answer in one sentence.\" --temperature 0.3",
                    "frugal chat run    (a run of tune, over its base; or model.gguf --adapter one=run1,two=run2)",
                    "echo \"What is the capital of France?\" | frugal chat tuned/ --greedy --quiet"},
       .actions = {talk}});
}

}  // namespace frugal
