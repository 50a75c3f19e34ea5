// What holds for every method of prune, whichever they are: a method that is a folder gets these tests with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/prune/tests/pruned.h"

namespace frugal {
namespace {

using formats_tests::SmallModel;
using prune_tests::Pruned;

// A fifth of the neurons and a head of layer 1 do nothing: their columns are 0.
struct Planted {
  std::shared_ptr<SmallModel> model;
  std::vector<std::int32_t> neurons;  // of every layer
};
Planted planted() {
  ModelShape shape = formats_tests::small_shape(true);
  shape.layers.assign(3, LayerShape{4, 2, 100});
  Planted p{std::make_shared<SmallModel>(shape), {}};
  for (std::int32_t neuron = 2; neuron < 100; neuron += 5) p.neurons.push_back(neuron);
  for (std::size_t i = 0; i < p.model->tensors().size(); ++i) {
    const SourceTensor& tensor = p.model->tensors()[i];
    if (tensor.role != Role::down) continue;
    for (std::int64_t row = 0; row < tensor.rows; ++row) {
      for (const std::int32_t neuron : p.neurons)
        p.model->values(i)[static_cast<std::size_t>(row * tensor.cols + neuron)] = 0;
    }
  }
  return p;
}

// Judges by likelihood, and by a metric that is what it is told.
struct ToldTask : PruneTask {
  explicit ToldTask(bool is_constant) : is_constant(is_constant) {}
  std::vector<double> metric(PruneModel& model, const std::string& name, std::uint64_t round,
                             const std::vector<ModelMask>& masks) override {
    EXPECT_EQ(name, "accuracy");
    return is_constant ? std::vector<double>(masks.size(), 0.5) : likelihood(model, round, masks);
  }
  std::vector<double> likelihood(PruneModel& model, std::uint64_t round, const std::vector<ModelMask>& masks) override {
    std::vector<double> values = model.losses(model.windows(7, round, 4, 32), masks);
    for (double& value : values) value = -value;
    return values;
  }
  bool is_constant;
};

// A metric that is the same for all masks says nothing: what goes is what goes by likelihood.
// A seed decides windows and masks.
TEST(Bonsai, AnotherSeedTakesOthers) {
  const auto flags = [](std::uint64_t seed) {
    Pruned pruned("bonsai", 0.4, {{"step", 0.2}}, 2, prune_tests::small_model(), nullptr, seed);
    pruned.run();
    return pruned.model.survivors().flags();
  };
  EXPECT_EQ(flags(3), flags(3));
  EXPECT_NE(flags(3), flags(4));
}

// Heads go in every layer or in none, so they are candidates in every layer: what wanda can reach bonsai reaches, too.
TEST(Bonsai, TakesHeadsOfAllLayersWhereLayersAreAlike) {
  ModelShape shape = formats_tests::small_shape(true);
  shape.layers.assign(6, LayerShape{4, 2, 96});
  const Json more = {{"layout", "uniform"}, {"neuron_multiple", 32}, {"min_neurons", 32}};
  double reached[2];
  for (int i = 0; i < 2; ++i) {
    Pruned pruned(i == 0 ? "wanda" : "bonsai", 0.95, more, 2, std::make_shared<SmallModel>(shape));
    pruned.run();
    const ModelShape left = pruned.model.survivors().shape();
    EXPECT_TRUE(left.is_uniform());
    EXPECT_EQ(left.layers[0].kv_heads, 1);
    reached[i] = pruned.model.survivors().sparsity();
  }
  EXPECT_NEAR(reached[1], reached[0], 1e-9);
}

// Where a layer has fewer candidates than go together, they are made as many.
TEST(Bonsai, ALargeMultipleStillGoes) {
  Pruned pruned("bonsai", 0.3, {{"neuron_multiple", 32}, {"min_neurons", 32}, {"step", 0.05}, {"attention_ratio", 0}});
  pruned.run();
  EXPECT_GT(pruned.model.survivors().sparsity(), 0.2);
}

TEST(Bonsai, FallsBackWhereTheMetricIsConstant) {
  const auto flags = [](const char* utility, bool is_constant) {
    ToldTask task(is_constant);
    Pruned pruned("bonsai", 0.4, {{"utility", utility}, {"step", 0.2}}, 2, prune_tests::small_model(), &task);
    pruned.run();
    return pruned.model.survivors().flags();
  };
  const std::vector<std::uint8_t> expected = flags("nll", true);
  EXPECT_EQ(flags("accuracy", true), expected);
  EXPECT_EQ(flags("accuracy", false), expected);
}

// A method, and settings that make it another one.
struct Way {
  std::string name, method;
  Json more = Json::object();
};
std::vector<Way> ways() {
  std::vector<Way> all;
  for (const PruneMethodInfo& method : prune_methods().all())
    all.push_back({std::string(method.name), std::string(method.name)});
  const auto bonsai = [&](const std::string& name, const Json& more) { all.push_back({name, "bonsai", more}); };
  for (const char* regression : {"ridge", "lasso", "none"}) bonsai(regression, {{"regression", regression}});
  for (const char* prior : {"activation", "fluctuation", "random"})
    bonsai(std::string("prior_") + prior, {{"prior", prior}});
  bonsai("ppl", {{"utility", "ppl"}});
  bonsai("block_race", {{"design", "block"}, {"race_tolerance", 0.5}});
  bonsai("compat", {{"reference_compat", true}});
  bonsai("ratio", {{"attention_ratio", 0.5}});
  bonsai("bonsai_uniform", {{"layout", "uniform"}, {"neuron_multiple", 16}, {"step", 0.2}});
  all.push_back({"wanda_uniform", "wanda", {{"layout", "uniform"}, {"neuron_multiple", 16}}});
  all.push_back({"wanda_layer", "wanda", {{"scope", "layer"}}});
  return all;
}

class EveryPruner : public testing::TestWithParam<Way> {
 protected:
  Pruned make(double sparsity, const Json& more = Json::object(), int threads = 2) const {
    Json all = GetParam().more;
    all.update(more);
    return Pruned(GetParam().method, sparsity, all, threads);
  }
};

TEST_P(EveryPruner, ReachesTheTargetAndNoMore) {
  for (const double sparsity : {0.2, 0.5}) {
    Pruned pruned = make(sparsity);
    pruned.run();
    EXPECT_LE(pruned.model.survivors().sparsity(), sparsity + 1e-9);
    // A layer of the two is half of the model: depth takes none, or one; a rank of all layers is much of it, too. The
    // authors' budget falls short where candidates are a share of what is left.
    const double short_of = GetParam().more.contains("layout") || GetParam().name == "compat" ? 0.2 : 0.06;
    const double least = GetParam().method != "depth" ? sparsity - short_of : sparsity < 0.45 ? 0 : 0.45;
    EXPECT_GE(pruned.model.survivors().sparsity(), least);
    EXPECT_TRUE(std::isfinite(pruned.model.loss(pruned.model.windows(1, 0, 2, 16))));
  }
}

// Behind what can go nothing does, and nobody minds.
TEST_P(EveryPruner, BeyondWhatCanGoItEnds) {
  Pruned pruned = make(0.99, {{"min_heads", 1}, {"min_neurons", 16}, {"step", 0.2}});
  pruned.run();
  for (const LayerShape& layer : pruned.model.survivors().shape().layers) {
    if (GetParam().method == "depth") continue;
    EXPECT_GE(layer.kv_heads, 1);
    EXPECT_GE(layer.ffn, 16);
  }
}

TEST_P(EveryPruner, ThreadsDecideNothing) {
  Pruned one = make(0.3, Json::object(), 1), three = make(0.3, Json::object(), 3);
  one.run();
  three.run();
  EXPECT_EQ(one.model.survivors().flags(), three.model.survivors().flags());
}

// Stopped after any step and restored from its state, it takes the same units, of the goals on the way, too.
TEST_P(EveryPruner, StoppedAndResumedItTakesTheSameUnits) {
  const Json goals = {{"also", {"0.1", "0.2"}}};
  Pruned whole = make(0.5, goals);
  whole.run();
  const std::int64_t steps = whole.pruner->steps();
  ASSERT_GT(steps, 2);
  ASSERT_EQ(whole.pruner->goal_steps().size(), 3u);
  EXPECT_EQ(whole.pruner->goal_steps().back(), steps);
  for (const std::int64_t stop : {std::int64_t{1}, steps / 2, steps - 1}) {
    Pruned first = make(0.5, goals), second = make(0.5, goals);
    first.run(0, stop);
    second.restore(first);
    second.run(stop);
    EXPECT_EQ(second.model.survivors().flags(), whole.model.survivors().flags()) << "stopped after " << stop;
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, EveryPruner, testing::ValuesIn(ways()),
                         [](const auto& info) { return info.param.name; });

class EveryPruneMethod : public testing::TestWithParam<std::string> {};

// Columns of zeros are found by every method that looks at units one by one.
TEST_P(EveryPruneMethod, TakesUnitsThatDoNothing) {
  if (GetParam() == "random" || GetParam() == "depth") GTEST_SKIP() << GetParam() << " does not look at them";
  const Planted p = planted();
  // As much as the dead neurons are, and no heads.
  const double sparsity =
      static_cast<double>(p.neurons.size() * 3 * 3 * 64) / static_cast<double>(block_parameters(p.model->shape()));
  Pruned pruned(GetParam(), sparsity + 1e-6,
                GetParam() == "bonsai" ? Json{{"attention_ratio", 0}, {"step", 0.04}} : Json::object(), 2, p.model);
  const double before = pruned.model.loss(pruned.model.windows(9, 0, 4, 32));
  pruned.run();
  std::size_t dead = 0, gone = 0;
  for (const KeptUnits& kept : pruned.model.survivors().kept()) {
    gone += 100 - kept.neurons.size();
    for (const std::int32_t neuron : p.neurons)
      dead += !std::binary_search(kept.neurons.begin(), kept.neurons.end(), neuron);
  }
  // Of flap heads compete with them; of bonsai units that do harm, as some do in a model that was never trained.
  if (GetParam() == "flap" || GetParam() == "bonsai") {
    EXPECT_GT(dead * 10, gone * 8) << dead << " of " << gone;
    return;
  }
  EXPECT_GE(dead * 100, gone * 95) << dead << " of " << gone;
  EXPECT_NEAR(pruned.model.loss(pruned.model.windows(9, 0, 4, 32)), before, 0.01 * before);
}

TEST_P(EveryPruneMethod, ItsFolderSaysWhatItIs) {
  const std::string text =
      read_file(std::filesystem::path(FRUGAL_SOURCE_DIR) / "frugal/prune" / GetParam() / "README.md");
  for (const char* heading : {"## Source", "## Memory", "## When not to use it", "## In this folder"})
    EXPECT_NE(text.find(heading), std::string::npos) << GetParam() << " has no heading " << heading;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const PruneMethodInfo& method : prune_methods().all()) all.emplace_back(method.name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryPruneMethod, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace frugal
