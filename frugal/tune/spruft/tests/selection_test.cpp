// Which rows scores choose.
#include "frugal/tune/spruft/selection.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

using Rows = std::vector<std::vector<std::int32_t>>;

TEST(SpruftSelection, HighestScoresWinAndTiesGoToTheLowerRow) {
  SpruftConfig config;
  config.rows = 3;
  EXPECT_EQ(select_rows(config, {"a"}, {{1, 5, 2, 5, 2}}), (Rows{{1, 2, 3}}));
  config.rows = 6;
  EXPECT_THROW(select_rows(config, {"a"}, {{1, 5, 2, 5, 2}}), Error);
}

TEST(SpruftSelection, RatiosRoundDownToAMultipleButNotBelowTheLeast) {
  SpruftConfig config;
  config.ratio = 0.1;
  EXPECT_EQ(row_budget(config, "a", 100), 8);
  EXPECT_EQ(row_budget(config, "a", 20), 1);
  config.min_rows = 0;
  EXPECT_EQ(row_budget(config, "a", 20), 0);
  config.rows = 4;
  EXPECT_THROW(validate(config), Error) << "rows and ratio";
}

// Each linear's scores are divided by their mean, so a linear of large scores does not take all.
TEST(SpruftSelection, GlobalBudgetsCompareRelativeScores) {
  SpruftConfig config;
  config.ratio = 0.25;
  config.global = true;
  EXPECT_EQ(select_rows(config, {"a", "b"}, {{100, 100, 100, 104}, {1, 1, 1, 9}}), (Rows{{3}, {3}}));
}

TEST(SpruftSelection, QuantileMeanInterpolates) {
  EXPECT_DOUBLE_EQ(quantile_mean({7}), 7);
  EXPECT_DOUBLE_EQ(quantile_mean({10, 0}), 5);
  EXPECT_NEAR(quantile_mean({0, 0, 10}), (0 * 6 + 2 + 4 + 6 + 8 + 10) / 11.0, 1e-12);
}

TEST(SpruftSelection, TargetsAreLinearsOfLayers) {
  EXPECT_TRUE(is_target("model.layers.0.mlp.up_proj.weight", {}));
  EXPECT_FALSE(is_target("model.layers.0.mlp.up_proj.bias", {}));
  EXPECT_FALSE(is_target("lm_head.weight", {}));
  EXPECT_FALSE(is_target("model.layers.0.mlp.up_proj.weight", {"down_proj"}));
}

}  // namespace
}  // namespace frugal
