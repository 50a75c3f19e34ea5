// What 200 masks say of units, against what all subsets of them say.
#include <gtest/gtest.h>

#include <algorithm>

#include "frugal/prune/bonsai/torch/design.h"
#include "frugal/prune/bonsai/torch/regression.h"
#include "frugal/prune/tests/pruned.h"

namespace frugal::bonsai {
namespace {

using prune_tests::some_text;

constexpr std::size_t kUnits = 12;

class TwoLayers {
 public:
  TwoLayers()
      : team_(2, single_threaded_torch), model_(source(), WeightType::f32, Compute::f32, team_, some_text(), -1) {
    windows_ = model_.windows(1, 0, 4, 24);
  }
  static std::shared_ptr<const ModelSource> source() {
    ModelShape shape = formats_tests::small_shape(true);
    shape.layers.assign(2, LayerShape{4, 2, 4});
    return std::make_shared<formats_tests::SmallModel>(shape);
  }
  const ModelShape& shape() { return model_.shape(); }
  // Minus the loss of each mask.
  std::vector<double> utilities(const std::vector<ModelMask>& masks) {
    std::vector<double> all;
    for (std::size_t begin = 0; begin < masks.size(); begin += 8) {
      const std::vector<ModelMask> some(masks.begin() + static_cast<std::ptrdiff_t>(begin),
                                        masks.begin() + static_cast<std::ptrdiff_t>(std::min(masks.size(), begin + 8)));
      for (const double loss : model_.losses(windows_, some)) all.push_back(-loss);
    }
    return all;
  }

 private:
  Threads team_;
  PruneModel model_;
  Windows windows_;
};

Design design_of(const ModelShape& shape, std::uint64_t seed) {
  return Design(shape, units_of(shape), std::vector<double>(kUnits),
                {.q = 0.5, .head_q = 0.5, .min_heads = 0, .min_neurons = 0, .pairs = 100, .seed = seed});
}

// The least-squares effect of a unit over all 4,096 subsets is the mean with it minus the mean without.
std::vector<double> exact_effects(TwoLayers& model) {
  const Design design = design_of(model.shape(), 1);
  std::vector<ModelMask> masks;
  for (std::uint32_t subset = 0; subset < 1u << kUnits; ++subset) {
    std::vector<std::size_t> off;
    for (std::size_t u = 0; u < kUnits; ++u) {
      if ((subset >> u & 1) != 0) off.push_back(u);
    }
    masks.push_back(design.mask(off));
  }
  const std::vector<double> utilities = model.utilities(masks);
  std::vector<double> effects(kUnits);
  for (std::size_t subset = 0; subset < utilities.size(); ++subset) {
    for (std::size_t u = 0; u < kUnits; ++u)
      effects[u] += ((subset >> u & 1) != 0 ? -1 : 1) * utilities[subset] / (1u << (kUnits - 1));
  }
  return effects;
}

TEST(Exhaustive, TwoHundredMasksOrderUnitsAsAllSubsetsDo) {
  TwoLayers model;
  ASSERT_EQ(units_of(model.shape()).size(), kUnits);
  const std::vector<double> exact = exact_effects(model);
  std::vector<double> taus;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Design design = design_of(model.shape(), seed);
    ASSERT_EQ(design.candidates().size(), kUnits);
    std::vector<ModelMask> masks;
    MaskPairs pairs;
    for (std::int64_t i = 0; i < 100; ++i) {
      const MaskPair pair = design.pair(i);
      masks.push_back(design.mask(pair.first));
      masks.push_back(design.mask(pair.second));
      std::vector<std::int8_t> z(kUnits, 1);  // off in the second, on in the first
      for (const std::size_t u : pair.first) z[u] = -1;
      pairs.z.push_back(std::move(z));
    }
    const std::vector<double> utilities = model.utilities(masks);
    for (std::size_t i = 0; i < utilities.size(); i += 2) {
      pairs.first.push_back(utilities[i]);
      pairs.second.push_back(utilities[i + 1]);
    }
    taus.push_back(kendall_tau(ridge(pairs).beta, exact));
  }
  std::sort(taus.begin(), taus.end());
  EXPECT_GE(taus[2], 0.8);
}

}  // namespace
}  // namespace frugal::bonsai
