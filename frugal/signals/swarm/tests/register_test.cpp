#include <gtest/gtest.h>

#include <algorithm>

#include "frugal/base/system.h"
#include "frugal/signals/swarm/model_config.h"

namespace frugal {
void register_signals_swarm(SystemTable& table);

namespace {

SystemTable registered() {
  SystemTable table("a verb", "verbs");
  register_signals_swarm(table);
  return table;
}

// An action's own options and those of one of its models.
Settings settings_of(const Action& action, std::string_view model) {
  std::vector<FieldInfo> fields = action.fields;
  for (const Choice& choice : action.choices) {
    for (const Plugin& plugin : choice.all()) {
      if (plugin.name == model) fields.insert(fields.end(), plugin.fields.begin(), plugin.fields.end());
    }
  }
  Settings settings(fields);
  settings.set("model", model, "--model");
  return settings;
}

TEST(SwarmRegister, HasItsActions) {
  const SystemTable table = registered();
  const SystemInfo& swarm = table.at("swarm");
  for (const char* name : {"train", "sweep", "simulate", "evaluate"}) ASSERT_NE(swarm.find(name), nullptr) << name;
  EXPECT_TRUE(swarm.find("train")->is_run);
  EXPECT_EQ(swarm.find("sweep")->sweeps, "train");
  EXPECT_EQ(swarm.find("sweep")->fields.front().field.name, "over");
  EXPECT_EQ(swarm.find("sweep")->fields.front().type, "LIST");
  EXPECT_EQ(swarm.metrics.front().name, "accuracy");
}

TEST(SwarmRegister, NoOptionIsThereTwice) {
  const SystemTable table = registered();
  const Action& train = *table.at("swarm").find("train");
  for (const Plugin& model : tsc::models()) {
    const Settings settings = settings_of(train, model.name);
    std::vector<std::string_view> names;
    for (const FieldInfo& info : settings.fields()) names.push_back(info.field.name);
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << model.name;
  }
}

TEST(SwarmRegister, TunedSizesStandWhereNoneAreGiven) {
  const SystemTable table = registered();
  const Action& train = *table.at("swarm").find("train");
  Settings settings = settings_of(train, "cnn");
  EXPECT_EQ(train.check(settings).settings["filters"], Json::array({"64", "64", "64"}));
  settings.set("variant", "tuned", "--variant");
  Checked checked = train.check(settings);
  EXPECT_EQ(checked.settings["filters"], Json::array({"32"}));
  EXPECT_EQ(checked.settings["pool"], 5);
  EXPECT_TRUE(checked.facts.contains("tuned"));
  settings.set("pool", "2", "--pool");
  EXPECT_EQ(train.check(settings).settings["pool"], 2);
  settings.set("filters", "8,8", "--filters");
  EXPECT_THROW(train.check(settings), Error);  // two layers of one kernel
  Settings none = settings_of(train, "res");
  none.set("variant", "tuned", "--variant");
  EXPECT_THROW(train.check(none), Error);
}

TEST(SwarmRegister, ChecksBeforeAnythingIsLoaded) {
  const SystemTable table = registered();
  const Action& train = *table.at("swarm").find("train");
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"window", "0"}, {"noise", "-1"}, {"test_fraction", "1"}, {"length", "seq"}, {"kernels", "3"}}) {
    Settings settings = settings_of(train, "cnn");
    settings.set(name, value, "--" + name);
    EXPECT_THROW(train.check(settings), Error) << name;
  }
}

}  // namespace
}  // namespace frugal
