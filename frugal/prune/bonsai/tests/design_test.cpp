#include "frugal/prune/bonsai/torch/design.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace frugal::bonsai {
namespace {

ModelShape deep_shape() {
  ModelShape shape;
  shape.hidden = 64, shape.head_dim = 16, shape.vocab = 256;
  shape.layers.assign(12, LayerShape{4, 2, 100});
  return shape;
}

struct Drawn {
  explicit Drawn(bool is_block, std::int64_t pairs = 60, bool has_kinds = false) : units(units_of(deep_shape())) {
    std::vector<double> rho;
    for (std::size_t u = 0; u < units.size(); ++u) rho.push_back(static_cast<double>((u * 37) % 101));
    design = Design(deep_shape(), units, rho,
                    {.q = 0.1,
                     .head_q = 0.1,
                     .min_neurons = 8,
                     .is_block = is_block,
                     .has_kinds = has_kinds,
                     .pairs = pairs,
                     .seed = 4});
  }
  std::vector<Unit> units;
  Design design;
};

TEST(DesignTest, MasksOfAPairShareOutTheCandidates) {
  const Drawn drawn(false);
  for (std::int64_t i = 0; i < 8; ++i) {
    const MaskPair pair = drawn.design.pair(i);
    std::vector<std::size_t> all;
    std::merge(pair.first.begin(), pair.first.end(), pair.second.begin(), pair.second.end(), std::back_inserter(all));
    EXPECT_EQ(all, drawn.design.candidates());
    EXPECT_EQ(pair.begin, 0u);
    EXPECT_EQ(pair.first, drawn.design.pair(i).first);  // a function of the index
    EXPECT_NE(pair.first, drawn.design.pair(i + 1).first);
  }
}

TEST(DesignTest, TheFirstPairsTouchOneKindAlone) {
  for (const bool is_block : {false, true}) {
    const Drawn drawn(is_block, 60, true);
    for (std::int64_t i = 0; i < 3; ++i) {
      const MaskPair pair = drawn.design.pair(i);
      std::vector<std::size_t> all, expected;
      std::merge(pair.first.begin(), pair.first.end(), pair.second.begin(), pair.second.end(), std::back_inserter(all));
      for (const std::size_t u : drawn.design.candidates()) {
        if (i == 2 || drawn.units[u].kind == (i == 0 ? UnitKind::head : UnitKind::neuron)) expected.push_back(u);
      }
      if (i == 2 && is_block) continue;
      EXPECT_EQ(all, expected) << i;
      EXPECT_EQ(pair.begin, 0u);
    }
  }
}

// Two of twelve layers, one after the other; every candidate of them is off in one mask of the two, and no other.
TEST(DesignTest, ABlockHasTheCandidatesOfItsLayers) {
  const Drawn drawn(true);
  std::size_t before = 0;
  for (std::int64_t i = 0; i < 60; ++i) {
    const MaskPair pair = drawn.design.pair(i);
    EXPECT_GE(pair.begin, before);
    before = pair.begin;
    std::vector<std::size_t> all;
    std::merge(pair.first.begin(), pair.first.end(), pair.second.begin(), pair.second.end(), std::back_inserter(all));
    const auto begin = static_cast<std::int32_t>(pair.begin);
    std::int32_t last = begin;
    for (const std::size_t u : all) {
      EXPECT_GE(drawn.units[u].layer, begin);
      last = std::max(last, drawn.units[u].layer);
    }
    EXPECT_LE(last, begin + 1);
    std::vector<std::size_t> expected;
    for (const std::size_t u : drawn.design.candidates()) {
      if (drawn.units[u].layer >= begin && drawn.units[u].layer <= last) expected.push_back(u);
    }
    EXPECT_EQ(all, expected);
  }
}

TEST(DesignTest, EveryLayerIsInAsManyBlocks) {
  const Drawn drawn(true, 650);  // 13 places: 50 pairs each, a layer in two of them
  std::vector<int> count(12);
  for (std::int64_t i = 0; i < 650; ++i) {
    const MaskPair pair = drawn.design.pair(i);
    std::vector<bool> is_in(12);
    for (const auto* units : {&pair.first, &pair.second}) {
      for (const std::size_t u : *units) is_in[static_cast<std::size_t>(drawn.units[u].layer)] = true;
    }
    for (std::size_t l = 0; l < 12; ++l) count[l] += is_in[l];
  }
  for (std::size_t l = 0; l < 12; ++l) EXPECT_NEAR(count[l], 100, 2) << "layer " << l;
}

}  // namespace
}  // namespace frugal::bonsai
