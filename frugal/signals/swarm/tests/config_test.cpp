#include "frugal/signals/swarm/config.h"

#include <gtest/gtest.h>

#include "frugal/base/atomic_file.h"
#include "frugal/base/settings.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal::swarm {
namespace {

template <class Config>
std::string refusal(Json settings) {
  try {
    validate(from_json<Config>(settings));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

// Acceptance item 10: the option, its value and the range, before anything is loaded.
TEST(SwarmConfig, RefusalsNameOptionValueAndRange) {
  const auto train = [](Json settings) { return refusal<TrainConfig>(std::move(settings)); };
  EXPECT_EQ(train(Json::object()), "accepted");
  EXPECT_EQ(train({{"window", 0}}), "--window is 0, expected at least 1");
  EXPECT_EQ(train({{"window", 1}, {"model", "cnn"}}), "accepted");
  EXPECT_EQ(
      train({{"window", 1}, {"model", "fcn"}}),
      "--window is 1, expected at least 2, since the batch norm of fcn and res needs more than one value a channel");
  EXPECT_EQ(train({{"noise", -0.1}}), "--noise is -0.1, expected 0 to 10");
  EXPECT_EQ(train({{"test_fraction", 1.0}}), "--test-fraction is 1.0, expected a number in (0, 1)");
  EXPECT_EQ(train({{"test_fraction", 0.0}}), "--test-fraction is 0.0, expected a number in (0, 1)");
  EXPECT_EQ(train({{"length", "seq"}, {"model", "cnn"}}),
            "--length is \"seq\", expected vec for --model cnn; seq goes with lstm and tr");
  EXPECT_EQ(train({{"length", "seq"}, {"model", "lstm"}}), "accepted");
  EXPECT_EQ(train({{"agents", 0}}), "--agents is 0, expected 1 to 1000");
  EXPECT_EQ(train({{"filters", {"64", "x"}}, {"kernels", {"3", "3"}}}),
            "--filters holds 'x', expected whole numbers from 1 to 65536");
  EXPECT_EQ(train({{"filters", {"64"}}}), "--filters has 1 layers and --kernels 3, expected as many");
  EXPECT_EQ(train({{"model", "tr"}, {"width", 7}}), "--width is 7, expected an even number from 2 to 65536");
  const auto simulate = [](Json settings) {
    settings["out"] = "t.csv";
    return refusal<SimulateConfig>(std::move(settings));
  };
  EXPECT_EQ(simulate({{"tactics", {"greedy", "swarm"}}}),
            "--tactics is 'swarm', expected one of greedy, greedy+, auction, auction+");
  EXPECT_EQ(simulate({{"seed", 4294967296}}), "--seed is 4294967296, expected 0 to 4294967296 less --runs");
  EXPECT_EQ(refusal<EvaluateConfig>({{"run", "R"}}).substr(0, 11), "--data is \"");
}

TEST(SwarmConfig, AFileThatIsThereIsNotReplaced) {
  const TemporaryFolder folder;
  const std::string path = (folder / "t.csv").string();
  const auto says = [](const auto& config) {
    try {
      validate(config);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  SimulateConfig simulate;
  simulate.out = path;
  const EvaluateConfig evaluate{.run = "R", .data = "t", .out = path};
  EXPECT_EQ(says(simulate), "accepted");
  EXPECT_EQ(says(evaluate), "accepted");
  write_file(path, "mine");
  EXPECT_EQ(says(simulate), "--out: " + path + " is there already");
  EXPECT_EQ(says(evaluate), "--out: " + path + " is there already");
}

TEST(SwarmConfig, AModelBringsItsOwnSizesAlone) {
  const auto config = from_json<TrainConfig>({{"model", "lstm"}, {"units", {"7"}}, {"filters", {"9"}}});
  EXPECT_EQ(config.sizes.lstm.units, tsc::Sizes{"7"});
  EXPECT_EQ(config.sizes.fc.units, (tsc::Sizes{"100", "12"}));
  EXPECT_EQ(config.sizes.cnn.filters, (tsc::Sizes{"64", "64", "64"}));
  const Json kept = to_json(config);
  EXPECT_EQ(kept["units"], Json::array({"7"}));
  EXPECT_FALSE(kept.contains("filters"));
}

TEST(SwarmConfig, TunedSizesAreOptionsOfTheirModel) {
  for (const Plugin& model : tsc::models()) {
    for (const char* output : {"mc", "ml", "mh"}) {
      for (const int window : {20, 58}) {
        const Json sizes = tsc::tuned_sizes(std::string(model.name), output, "vec", window);
        if (sizes.is_null()) continue;
        Json settings = sizes;
        settings["model"] = model.name;
        EXPECT_NO_THROW(validate(from_json<TrainConfig>(settings))) << model.name;
        for (const auto& [key, value] : sizes.items()) {
          const bool is_known = std::any_of(model.fields.begin(), model.fields.end(),
                                            [&](const FieldInfo& info) { return info.field.name == key; });
          EXPECT_TRUE(is_known) << model.name << " " << key;
        }
      }
    }
  }
}

}  // namespace
}  // namespace frugal::swarm
