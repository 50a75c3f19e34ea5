#include "frugal/prune/common/units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "frugal/formats/tests/small_model.h"

namespace frugal {
namespace {

ModelShape shape_of(std::vector<LayerShape> layers) {
  ModelShape shape = formats_tests::small_shape(true);
  shape.layers = std::move(layers);
  return shape;
}

std::vector<double> random_scores(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> scores(count);
  for (double& score : scores) score = std::uniform_real_distribution<double>(0, 1)(random);
  return scores;
}

TEST(Units, CostIsWhatShrinkingSaves) {
  const ModelShape shape = shape_of({{4, 2, 96}, {6, 3, 40}, {8, 8, 33}});
  for (const Unit& unit : units_of(shape)) {
    Survivors left(shape);
    left.remove({unit});
    EXPECT_EQ(block_parameters(shape) - block_parameters(left.shape()), unit.cost) << unit.layer << " " << unit.index;
  }
}

TEST(Units, SurvivorsCountFromWhatIsLeft) {
  Survivors left(shape_of({{4, 2, 8}}));
  left.remove({{0, UnitKind::neuron, 1, 0}, {0, UnitKind::neuron, 5, 0}, {0, UnitKind::head, 0, 0}});
  left.remove({{0, UnitKind::neuron, 1, 0}});  // the second of what is left: 2
  EXPECT_EQ(left.kept()[0].neurons, (std::vector<std::int32_t>{0, 3, 4, 6, 7}));
  EXPECT_EQ(left.kept()[0].heads, (std::vector<std::int32_t>{2, 3}));
  Survivors again(shape_of({{4, 2, 8}}));
  again.restore(left.flags());
  EXPECT_EQ(again.kept()[0].neurons, left.kept()[0].neurons);
  EXPECT_EQ(again.kept()[0].heads, left.kept()[0].heads);
}

TEST(Select, TakesTheLowestWithinTheBudgetAndLeavesWhatMustStay) {
  const ModelShape shape = shape_of({{4, 2, 96}, {4, 2, 96}, {4, 4, 70}});
  const std::vector<Unit> units = units_of(shape);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<double> scores = random_scores(units.size(), seed);
    for (const bool is_uniform : {false, true}) {
      for (const bool is_local : {false, true}) {
        const std::int64_t all = block_parameters(shape);
        SelectOptions options{.budget = all / 3, .min_heads = 1, .min_neurons = 16, .neuron_multiple = 8};
        options.is_uniform = is_uniform;
        options.is_local = is_local;
        Survivors left(shape);
        left.remove(select(shape, units, scores, options));
        const std::int64_t gone = all - block_parameters(left.shape());
        EXPECT_LE(gone, options.budget);
        EXPECT_GT(gone, options.budget - 3 * (64 * 8 * 10 + 8 * 3 * 64) - 1) << "whatever fits goes";
        for (const LayerShape& layer : left.shape().layers) {
          EXPECT_GE(layer.kv_heads, 1);
          EXPECT_GE(layer.ffn, 16);
          EXPECT_TRUE(layer.ffn % 8 == 0 || layer.ffn == 70) << layer.ffn;
        }
      }
    }
  }
}

TEST(Select, OfOneKindAndSizeTakesExactlyTheLowest) {
  const ModelShape shape = shape_of({{4, 2, 96}});
  const std::vector<Unit> units = units_of(shape);
  std::vector<double> scores = random_scores(units.size(), 3);
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i].kind == UnitKind::head) scores[i] = INFINITY;
  }
  const std::vector<Unit> gone =
      select(shape, units, scores, {.budget = 10 * 3 * 64, .min_neurons = 0, .neuron_multiple = 1});
  ASSERT_EQ(gone.size(), 10u);
  std::vector<double> sorted(scores.begin() + 2, scores.end());
  std::sort(sorted.begin(), sorted.end());
  for (const Unit& unit : gone) EXPECT_LE(scores[2 + static_cast<std::size_t>(unit.index)], sorted[9]);
}

TEST(Select, UniformTakesTheSameNumberOfEveryLayer) {
  const ModelShape shape = shape_of({{8, 4, 96}, {8, 4, 96}, {8, 4, 96}});
  const std::vector<Unit> units = units_of(shape);
  SelectOptions options{.budget = block_parameters(shape) / 2, .neuron_multiple = 32};
  options.is_uniform = true;
  Survivors left(shape);
  left.remove(select(shape, units, random_scores(units.size(), 9), options));
  EXPECT_TRUE(left.shape().is_uniform());
  EXPECT_GT(left.sparsity(), 0.2);
}

}  // namespace
}  // namespace frugal
