#include "frugal/verbs/chat/config.h"

#include "frugal/base/validate.h"
#include "frugal/formats/model_source.h"
#include "frugal/verbs/common/compute.h"

namespace frugal {

void validate(const ChatConfig& c) {
  require_model(c.model);
  validate(c.sampling);
  validate(c.compute);
}

void register_verbs_chat(SystemTable& table) {
  Action talk{.name = "", .summary = "a conversation", .fields = describe_fields<ChatConfig>()};
  talk.run = [](const Settings& settings) {
    const auto config = from_json<ChatConfig>(settings.values());
    validate(config);
    refuse_unused_sampling(settings, config.sampling);
    if (ModelSource::open(config.model)->chat_template().empty()) {
      throw Error(Exit::input, config.model + " has no chat template",
                  "use frugal generate, or an instruction-tuned model");
    }
    return compute("chat", settings.values());
  };
  table.add({.name = "chat",
             .summary = "talk with a model through its chat template",
             .group = kLanguageModels,
             .examples = {"frugal chat model.gguf",
                          "frugal chat model.gguf --system \"Answer in one sentence.\" --temperature 0.3",
                          "echo \"What is the capital of France?\" | frugal chat tuned/ --greedy --quiet"},
             .actions = {talk}});
}

}  // namespace frugal
