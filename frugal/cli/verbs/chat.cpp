#include "frugal/cli/verbs/chat.h"

#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/formats/model_source.h"

namespace frugal {

void validate(const ChatConfig& c) {
  require_model(c.model);
  validate(c.sampling);
  validate(c.compute);
}

Verb chat_verb() {
  return {.name = "chat",
          .summary = "talk with a model through its chat template",
          .examples = {"frugal chat model.gguf",
                       "frugal chat model.gguf --system \"Answer in one sentence.\" --temperature 0.3",
                       "echo \"What is the capital of France?\" | frugal chat tuned/ --greedy --quiet"},
          .fields = describe_fields<ChatConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<ChatConfig>(settings.values());
            validate(config);
            refuse_unused_sampling(settings, config.sampling);
            if (ModelSource::open(config.model)->chat_template().empty()) {
              throw Error(Exit::input, config.model + " has no chat template",
                          "use frugal generate, or an instruction-tuned model");
            }
            return run_torch("chat", settings.values());
          }};
}

}  // namespace frugal
