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

class EveryPruner : public testing::TestWithParam<std::string> {};

TEST_P(EveryPruner, ReachesTheTargetAndNoMore) {
  for (const double sparsity : {0.2, 0.5}) {
    Pruned pruned(GetParam(), sparsity);
    pruned.run();
    EXPECT_LE(pruned.model.survivors().sparsity(), sparsity + 1e-9);
    // A layer of the two is half of the model: depth takes none, or one.
    const double least = GetParam() != "depth" ? sparsity - 0.06 : sparsity < 0.45 ? 0 : 0.45;
    EXPECT_GE(pruned.model.survivors().sparsity(), least);
    EXPECT_TRUE(std::isfinite(pruned.model.loss(pruned.model.windows(1, 0, 2, 16))));
  }
}

TEST_P(EveryPruner, ThreadsAndSeedsDecideNothingElse) {
  Pruned one(GetParam(), 0.3, Json::object(), 1), three(GetParam(), 0.3, Json::object(), 3);
  one.run();
  three.run();
  EXPECT_EQ(one.model.survivors().flags(), three.model.survivors().flags());
}

// Stopped after any step and restored from its state, it takes the same units.
TEST_P(EveryPruner, StoppedAndResumedItTakesTheSameUnits) {
  Pruned whole(GetParam(), 0.3);
  whole.run();
  const std::int64_t steps = whole.pruner->steps();
  for (const std::int64_t stop : {std::int64_t{1}, steps / 2, steps - 1}) {
    if (stop <= 0 || stop >= steps) continue;
    Pruned first(GetParam(), 0.3), second(GetParam(), 0.3);
    first.run(0, stop);
    second.restore(first);
    second.run(stop);
    EXPECT_EQ(second.model.survivors().flags(), whole.model.survivors().flags()) << "stopped after " << stop;
  }
}

// Columns of zeros are found by every method that looks at units one by one.
TEST_P(EveryPruner, TakesUnitsThatDoNothing) {
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

TEST_P(EveryPruner, ItsFolderSaysWhatItIs) {
  const std::string text =
      read_file(std::filesystem::path(FRUGAL_SOURCE_DIR) / "frugal/prune" / GetParam() / "README.md");
  for (const char* heading : {"## Source", "## When not to use it", "## In this folder"})
    EXPECT_NE(text.find(heading), std::string::npos) << GetParam() << " has no heading " << heading;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const PruneMethodInfo& method : prune_methods().all()) all.emplace_back(method.name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryPruner, testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace frugal
