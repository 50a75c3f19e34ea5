#include "frugal/prune/bonsai/torch/race.h"

#include <gtest/gtest.h>

#include "frugal/prune/bonsai/torch/design.h"
#include "frugal/prune/tests/pruned.h"

namespace frugal::bonsai {
namespace {

using prune_tests::Pruned;

struct Race : testing::Test {
  Race() : pruned("bonsai", 0.3), model(pruned.model), windows(model.windows(5, 0, 9, 32)) {
    ModelMask mask(model.shape().layers.size());
    for (std::int32_t i = 0; i < 4; ++i) {
      for (const std::int32_t off : {0, 1}) {
        mask[1].neurons = {4 * i + off, 4 * i + 2 + off};
        mask[1].heads = i % 2 == off ? std::vector<std::int32_t>{0, 1} : std::vector<std::int32_t>{2, 3};
        masks.push_back(mask);
      }
    }
    before = model.losses(windows, masks);
  }
  Pruned pruned;
  PruneModel& model;
  Windows windows;
  std::vector<ModelMask> masks;  // layer 0 keeps all
  std::vector<double> before;
};

TEST_F(Race, WithoutAToleranceEveryMaskSeesAllWindows) {
  const RaceResult found = race(model, windows, {}, masks, 0, before);
  EXPECT_EQ(found.losses, before);
  EXPECT_EQ(found.windows, 8 * 9);
}

TEST_F(Race, ItStopsBehindFourWindowsWhereAnythingIsEnough) {
  const RaceResult found = race(model, windows, {}, masks, 1e9, before);
  EXPECT_EQ(found.windows, 8 * 4);
  const std::vector<double> four = model.losses(std::span(windows).subspan(0, 4), masks);
  for (std::size_t i = 0; i < masks.size(); ++i) EXPECT_NEAR(found.losses[i], four[i], 1e-6);
}

TEST_F(Race, ItSeesAllWhereNothingIsEnoughAndWhereFewPairsCameBefore) {
  const RaceResult strict = race(model, windows, {}, masks, 1e-9, before);
  EXPECT_EQ(strict.windows, 8 * 9);
  for (std::size_t i = 0; i < masks.size(); ++i) EXPECT_NEAR(strict.losses[i], before[i], 1e-6);
  EXPECT_EQ(race(model, windows, {}, masks, 1e9, {before.begin(), before.begin() + 6}).windows, 8 * 9);
}

// Pairs stop one by one: those that go on have what they would have had alone.
TEST_F(Race, APairDoesNotDependOnThoseBesideIt) {
  std::int64_t least = 9, most = 0;
  for (const double tolerance : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0}) {
    const RaceResult together = race(model, windows, {}, masks, tolerance, before);
    std::int64_t alone = 0;
    for (std::size_t pair = 0; pair < 4; ++pair) {
      const std::vector<ModelMask> own = {masks[2 * pair], masks[2 * pair + 1]};
      const RaceResult found = race(model, windows, {}, own, tolerance, before);
      alone += found.windows;
      least = std::min(least, found.windows / 2), most = std::max(most, found.windows / 2);
      for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(found.losses[i], together.losses[2 * pair + i], 1e-6);
    }
    EXPECT_EQ(alone, together.windows);
  }
  EXPECT_LT(least, most);
}

TEST_F(Race, FromAPrefixLossesAreAsFromTheEmbedding) {
  Prefix prefix;
  model.advance(prefix, windows, 1);
  EXPECT_EQ(prefix.layer, 1u);
  const RaceResult all = race(model, windows, prefix, masks, 0, before),
                   some = race(model, windows, prefix, masks, 0.4, before);
  const RaceResult expected = race(model, windows, {}, masks, 0.4, before);
  EXPECT_EQ(some.windows, expected.windows);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    EXPECT_NEAR(all.losses[i], before[i], 1e-6);
    EXPECT_NEAR(some.losses[i], expected.losses[i], 1e-6);
  }
}

class Faster : public testing::TestWithParam<Json> {};

TEST_P(Faster, ThreadsAndStopsDecideNothing) {
  Pruned whole("bonsai", 0.3, GetParam(), 1), three("bonsai", 0.3, GetParam(), 3);
  whole.run();
  three.run();
  EXPECT_EQ(whole.model.survivors().flags(), three.model.survivors().flags());
  EXPECT_GT(whole.model.survivors().sparsity(), 0.24);
  for (const std::int64_t stop : {3, 7}) {
    Pruned first("bonsai", 0.3, GetParam()), second("bonsai", 0.3, GetParam());
    first.run(0, stop);
    second.restore(first);
    second.run(stop);
    EXPECT_EQ(second.model.survivors().flags(), whole.model.survivors().flags()) << "stopped after " << stop;
  }
}

INSTANTIATE_TEST_SUITE_P(Designs, Faster,
                         testing::Values(Json{{"design", "block"}}, Json{{"race_tolerance", 0.5}},
                                         Json{{"design", "block"}, {"race_tolerance", 0.5}}));

}  // namespace
}  // namespace frugal::bonsai
