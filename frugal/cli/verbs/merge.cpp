#include "frugal/cli/verbs/merge.h"

#include <filesystem>

#include "frugal/cli/run_torch.h"
#include "frugal/cli/validate.h"
#include "frugal/cli/verbs/verbs.h"
#include "frugal/formats/model_source.h"

namespace frugal {

void validate(const MergeConfig& c) {
  require_model(c.model);
  require_given("RUN", c.run, "frugal merge model.gguf run --out tuned");
  std::error_code failed;
  if (!std::filesystem::exists(c.run, failed))
    throw Error(Exit::input, "run " + c.run + " does not exist", "give the folder that tune --out made");
  if (std::filesystem::is_directory(c.run, failed) &&
      !std::filesystem::exists(std::filesystem::path(c.run) / "run.json", failed)) {
    throw Error(Exit::input, c.run + " holds no run.json", "give the folder that tune --out made");
  }
  validate(c.target);
  require_file("--data", c.data);
  require_at_least("--step", c.step, -1);
  require_between("--threads", static_cast<double>(c.threads), 0, 1024);
}

Verb merge_verb() {
  return {.name = "merge",
          .summary = "write a tuned model that other tools load",
          .examples = {"frugal merge model.gguf run --out tuned",
                       "frugal merge model.gguf run --out tuned.gguf --dtype q8_0",
                       "frugal merge model.gguf run --out early --step 100 --data test.jsonl"},
          .fields = describe_fields<MergeConfig>(),
          .run = [](const Settings& settings) {
            const auto config = from_json<MergeConfig>(settings.values());
            validate(config);
            ModelSource::open(config.model);
            return run_torch("merge", settings.values());
          }};
}

}  // namespace frugal
