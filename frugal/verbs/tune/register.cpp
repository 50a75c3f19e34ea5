#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/tune_config.h"

namespace frugal {

void register_verbs_tune(SystemTable& table) {
  Action tune{.name = "", .summary = "a run", .fields = describe_fields<TuneConfig>()};
  tune.choices = {{"method", tuning_methods}};
  tune.is_run = true;
  tune.plans_memory = true;
  tune.check = check_tune;
  tune.leg_options = {"steps", "lr", "schedule", "warmup", "eval_every", "checkpoint_every", "patience"};
  table.add(
      {.name = "tune",
       .summary = "fine-tune a model on labelled examples, completions, chats, preferences or text",
       .group = kLanguageModels,
       .examples = {"frugal tune model.gguf --data train.jsonl --dev dev.jsonl --template \"Review: "
                    "{text}\\nSentiment:\" --labels negative,positive --out run",
                    "frugal tune model.gguf --data chats.jsonl --method lora --rank 8 --steps 300 --out run    (frugal "
                    "tune --resume run goes on)",
                    "frugal tune model.gguf --data pairs.jsonl --objective dpo --method lora --lr 1e-5 --steps 200 "
                    "--out run"},
       .actions = {tune},
       .metrics = {{"accuracy", "", true}}});
}

}  // namespace frugal
