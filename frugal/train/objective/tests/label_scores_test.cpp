// Label words of several tokens: how examples go together, and that it changes nothing.
#include "frugal/train/objective/label_scores.h"

#include <gtest/gtest.h>

#include "frugal/train/objective/tests/small_tuning.h"

namespace frugal {
namespace {

// A model that keeps the sizes of what it runs.
class Weighed : public Model {
 public:
  explicit Weighed(Model& model) : model_(model) {}
  const ModelShape& shape() const override { return model_.shape(); }
  Compute compute() const override { return model_.compute(); }
  std::unique_ptr<Pass> forward(const WeightView& view, const PackedBatch& batch, std::span<KvCache* const> caches,
                                const LayerRange& layers) override {
    sizes.push_back(batch.size());
    return model_.forward(view, batch, caches, layers);
  }
  std::unique_ptr<RecordedPass> record(const WeightView& view, const PackedBatch& batch,
                                       const TapePlan& plan) override {
    return model_.record(view, batch, plan);
  }
  std::vector<std::int64_t> sizes;

 private:
  Model& model_;
};

TEST(LabelScores, OptionsCountAmongTheTokensOfAForward) {
  SmallTuning small(golden_model(), std::vector<int>(12, 10), 1, WeightType::f32);
  const BaseView view(small.store);
  std::vector<Example> examples;
  for (const Sequence& sequence : small.data)
    examples.push_back({sequence.tokens, static_cast<std::int32_t>(examples.size() % 3)});
  std::vector<const Example*> all;
  for (const Example& example : examples) all.push_back(&example);
  constexpr std::int64_t kMost = 64;
  for (const std::size_t longest : {1, 3, 8}) {
    std::vector<std::vector<std::int32_t>> options;
    for (std::int32_t o = 0; o < 6; ++o) options.emplace_back(o == 0 ? 1 : longest, 3 + o);
    Weighed model(small.decoder);
    LabelScores together(model, options, kMost), alone(model, options, 1);
    const LabelScores::Result found = together.score(view, all);
    const auto one = static_cast<std::int64_t>(10 + 5 * (longest - 1));  // the prompt, and what options add behind it
    const std::int64_t fit = std::max<std::int64_t>(1, kMost / one);
    EXPECT_EQ(model.sizes.size(), static_cast<std::size_t>((12 + fit - 1) / fit)) << longest;
    for (const std::int64_t size : model.sizes) EXPECT_LE(size, std::max(kMost, one)) << longest;
    const LabelScores::Result expected = alone.score(view, all);
    EXPECT_EQ(found.predicted, expected.predicted) << longest;
    for (std::size_t i = 0; i < found.losses.size(); ++i)
      EXPECT_NEAR(found.losses[i], expected.losses[i], 1e-5 * expected.losses[i]) << longest;
  }
}

}  // namespace
}  // namespace frugal
