// Which rows scores choose.
#include "frugal/tune/spruft/selection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "frugal/tune/spruft/aggregate.h"

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

// Against numbers made by hand; the reference knows one of these under two names and so never runs it.
TEST(SpruftSelection, AggregatesOverLabels) {
  for (const char* method : {"max", "mean", "quantile-mean", "upper-quantile-mean", "top5", "top5-and-mean"})
    EXPECT_DOUBLE_EQ(aggregate(method, {7}), 7) << method;
  const std::vector<double> two = {10, 0}, three = {0, 10, 0}, seven = {7, 1, 6, 2, 5, 3, 4};
  EXPECT_DOUBLE_EQ(aggregate("max", three), 10);
  EXPECT_DOUBLE_EQ(aggregate("mean", three), 10.0 / 3);
  EXPECT_DOUBLE_EQ(aggregate("quantile-mean", two), 5);
  EXPECT_NEAR(aggregate("quantile-mean", three), (0 * 6 + 2 + 4 + 6 + 8 + 10) / 11.0, 1e-12);
  EXPECT_NEAR(aggregate("upper-quantile-mean", three), (0 + 2 + 4 + 6 + 8 + 10) / 6.0, 1e-12);
  EXPECT_DOUBLE_EQ(aggregate("top5", seven), 5) << "of 7 6 5 4 3";
  EXPECT_DOUBLE_EQ(aggregate("top5", two), 5) << "of all there are";
  EXPECT_DOUBLE_EQ(aggregate("top5-and-mean", seven), 4.5);
}

TEST(SpruftSelection, TargetsAreLinearsOfLayers) {
  ModelShape shape;
  shape.biases.gate = shape.biases.up = shape.biases.down = true;
  shape.layers = {{2, 1, 16}};
  const std::vector<TensorSpec> specs = tensor_specs(shape);
  const auto spec = [&](Role role, bool is_bias = false) {
    return *std::find_if(specs.begin(), specs.end(),
                         [&](const TensorSpec& s) { return s.role == role && s.is_bias == is_bias; });
  };
  EXPECT_TRUE(is_target(spec(Role::up), {}));
  EXPECT_FALSE(is_target(spec(Role::up, true), {}));
  for (const Role role : {Role::embedding, Role::input_norm, Role::final_norm, Role::head})
    EXPECT_FALSE(is_target(spec(role), {}));
  EXPECT_FALSE(is_target(spec(Role::up), {"down_proj"}));
  for (const char* target : {"up_proj", "mlp.up_proj", "up_proj.weight", "model.layers.0.mlp.up_proj.weight"})
    EXPECT_TRUE(is_target(spec(Role::up), {target})) << target;
}

}  // namespace
}  // namespace frugal
