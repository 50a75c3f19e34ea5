#include "frugal/verbs/adapt/config.h"
#include "frugal/verbs/common/compute.h"
#include "frugal/verbs/common/model_out.h"

namespace frugal {
namespace {

// A run of frugal tune that distills, at a rate that goes down to 0, unless it is told otherwise; its --out is the
// model.
Checked check(const Settings& given) {
  Settings tune = given;
  if (!given.is_given("objective") && tune.has("objective")) tune.set("objective", "distill", "frugal adapt");
  if (!given.is_given("schedule") && tune.has("schedule")) tune.set("schedule", "linear", "frugal adapt");
  Json settings = given.values();
  settle_model_out(settings);
  if (settings["out"] != "") tune.set("out", settings["out"].get<std::string>(), given.at("out").origin);
  return check_tune(tune);
}

}  // namespace

void register_verbs_adapt(SystemTable& table) {
  Action adapt{.name = "", .summary = "a run", .fields = describe_fields<AdaptConfig>()};
  adapt.choices = {{"method", tuning_methods}};
  adapt.is_run = true;
  adapt.run_end = kRunEnd;
  adapt.plans_memory = true;
  adapt.check = check;
  table.add(
      {.name = "adapt",
       .summary = "repair a pruned model: it learns from text and from the model it was made of",
       .source = "arXiv:2402.05406",
       .group = kLanguageModels,
       .examples = {"frugal adapt small --teacher model.gguf --data text.txt --steps 200 --out repaired    (frugal "
                    "adapt --resume repaired.run goes on)",
                    "frugal adapt small --teacher model.gguf --data text.txt --method full --teacher-store stored "
                    "--memory 1GiB --out repaired.gguf"},
       .actions = {adapt},
       .metrics = {{"train_loss", "", false}}});
}

}  // namespace frugal
