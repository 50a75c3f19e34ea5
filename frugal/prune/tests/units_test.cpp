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

TEST(Select, TiesGoByTheSecondScore) {
  const ModelShape shape = shape_of({{4, 2, 96}, {4, 2, 96}});
  const std::vector<Unit> units = units_of(shape);
  const std::vector<double> second = random_scores(units.size(), 5), zeros(units.size());
  for (const bool is_uniform : {false, true}) {
    SelectOptions options{.budget = block_parameters(shape) / 3, .neuron_multiple = 8};
    options.is_uniform = is_uniform;
    const auto by = [&](const std::vector<double>& scores, const std::vector<double>& ties) {
      Survivors left(shape);
      left.remove(select(shape, units, scores, options, ties));
      return left.flags();
    };
    EXPECT_EQ(by(zeros, second), by(second, {}));
    EXPECT_NE(by(zeros, {}), by(second, {}));
    EXPECT_EQ(by(random_scores(units.size(), 6), second), by(random_scores(units.size(), 6), {}));
  }
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

// A head of every layer takes one along that the model cannot spare: they go when the neurons are gone.
TEST(Select, UniformTakesNeuronsBeforeHeads) {
  const ModelShape shape = shape_of({{8, 4, 96}, {8, 4, 96}, {8, 4, 96}});
  const std::vector<Unit> units = units_of(shape);
  std::vector<double> scores = random_scores(units.size(), 3);
  std::int64_t neurons = 0, head = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i].kind == UnitKind::head) scores[i] = -1, head = units[i].cost;
    if (units[i].kind == UnitKind::neuron) neurons += units[i].cost * 64 / 96;  // 32 of 96 stay
  }
  for (const auto& [budget, heads] : {std::pair(neurons, 8), {neurons + 3 * 2 * head, 4}}) {
    SelectOptions options{.budget = budget, .neuron_multiple = 32};
    options.is_uniform = true;
    Survivors left(shape);
    left.remove(select(shape, units, scores, options));
    EXPECT_EQ(left.shape().layers.front().ffn, 32);
    EXPECT_EQ(left.shape().layers.front().heads, heads);
  }
}

// transformers asks that heads divide the hidden size: of 8 in pairs, 64 leaves 8, 4 or 2; never a layer of nothing.
TEST(Select, UniformLeavesWhatLoads) {
  const ModelShape shape = shape_of({{8, 4, 96}, {8, 4, 96}, {8, 4, 96}});
  const std::vector<Unit> units = units_of(shape);
  const std::int64_t all = block_parameters(shape);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (const double share : {0.1, 0.3, 0.5, 0.7, 0.9, 1.0}) {
      SelectOptions options{.budget = static_cast<std::int64_t>(share * static_cast<double>(all)),
                            .min_heads = 0,
                            .min_neurons = 0,
                            .neuron_multiple = 32};
      options.is_uniform = true;
      Survivors left(shape);
      left.remove(select(shape, units, random_scores(units.size(), seed), options));
      ASSERT_TRUE(left.shape().is_uniform());
      const LayerShape layer = left.shape().layers.front();
      ASSERT_GT(layer.heads, 0);
      EXPECT_EQ(64 % layer.heads, 0);
      EXPECT_GE(layer.ffn, 32);
      EXPECT_LE(all - block_parameters(left.shape()), options.budget);
    }
  }
  std::vector<double> heads_alone = random_scores(units.size(), 1);
  std::int64_t head = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i].kind == UnitKind::neuron) heads_alone[i] = INFINITY;
    if (units[i].kind == UnitKind::head) head = units[i].cost;
  }
  for (const auto& [gone, expected] : {std::pair(0, 8), {1, 8}, {2, 4}, {3, 2}}) {  // key heads of a layer; heads left
    SelectOptions options{.budget = 3 * gone * head, .min_heads = 0, .min_neurons = 0, .neuron_multiple = 32};
    options.is_uniform = true;
    Survivors left(shape);
    left.remove(select(shape, units, heads_alone, options));
    EXPECT_EQ(left.shape().layers.front().heads, expected) << gone;
  }
}

// What reach_of says is what a budget without end takes, and less than its least part takes nothing.
TEST(Select, ReachIsWhatItTakes) {
  const ModelShape shape = shape_of({{8, 4, 96}, {8, 4, 70}, {8, 4, 96}});
  const std::vector<Unit> units = units_of(shape);
  const std::vector<double> scores = random_scores(units.size(), 4);
  const auto all = static_cast<double>(block_parameters(shape));
  for (const std::int64_t multiple : {1, 8, 32, 128}) {
    for (const std::int64_t least : {0, 1, 4}) {
      SelectOptions options{.min_heads = least, .min_neurons = 32 * least, .neuron_multiple = multiple};
      const Reach reach = reach_of(shape, options);
      const auto taken = [&](double share) {
        options.budget = static_cast<std::int64_t>(std::round(share * all));
        double cost = 0;
        for (const Unit& unit : select(shape, units, scores, options)) cost += static_cast<double>(unit.cost);
        return cost / all;
      };
      EXPECT_NEAR(taken(1), reach.most, 1e-12) << multiple << " " << least;
      if (reach.most == 0) continue;
      EXPECT_GT(taken(reach.least), 0);
      EXPECT_EQ(taken(reach.least * 0.99), 0);
    }
  }
  EXPECT_EQ(reach_of(shape, {.min_heads = 4, .min_neurons = 96}).most, 0);
  const Reach layers = reach_of_layers(shape);
  EXPECT_NEAR(layers.most + layers.least, 1, 0.02);  // but for the norms
  EXPECT_EQ(reach_of_layers(shape_of({{8, 4, 96}, {0, 0, 0}})).most, 0);
}

}  // namespace
}  // namespace frugal
