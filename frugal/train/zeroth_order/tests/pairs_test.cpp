// Zeroth-order steps over low-rank pairs: the branches are the pairs moved along z, the base is shared and stays as it
// is, and a log of steps gives the same bits again.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "frugal/base/philox.h"
#include "frugal/train/first_order/gradient_buffers.h"
#include "frugal/train/objective/tests/small_tuning.h"
#include "frugal/train/parametrisation/low_rank.h"
#include "frugal/train/zeroth_order/perturbed_pairs.h"
#include "frugal/train/zeroth_order/tuner.h"

namespace frugal {
namespace {

struct Fixture : SmallTuning {
  explicit Fixture(int threads = 2, WeightType type = WeightType::f32)
      : SmallTuning(golden_model(), {9, 9, 9, 9}, threads, type) {}
  std::unique_ptr<LowRankPairs> pairs(bool dora = false) {
    return std::make_unique<LowRankPairs>(store, LowRankConfig{.rank = 2, .dora = dora});
  }
  std::unique_ptr<ZerothOrderTuner> tuner(const ZerothOrderConfig& config, bool dora) {
    return std::make_unique<ZerothOrderTuner>(pairs(dora), team, loss.get(), LoggedEngine{config});
  }
};

// Every number of the pairs, moved off 0, so that both factors have gradients.
void shake(LowRankPairs& pairs) {
  PhiloxSequence random(8, Stream::initial);
  for (std::size_t i = 0; i < pairs.parameters().size(); ++i) {
    auto* values = reinterpret_cast<float*>(pairs.values(i));
    for (std::int64_t j = 0; j < pairs.parameters()[i].count; ++j)
      values[j] += static_cast<float>(random.uniform() - 0.5) / 4;
  }
}

// The plus branch is the model whose pairs were moved by eps z, the minus branch the one moved the other way.
TEST(ZerothOrderPairs, BranchesAreThePairsMovedAlongZ) {
  for (const bool dora : {false, true}) {
    Fixture f;
    auto pairs = f.pairs(dora), moved = f.pairs(dora);
    shake(*pairs);
    const std::size_t tensors = f.store.size();
    const kernels::Noise noise{.direction = kernels::Direction::gaussian, .key = 77, .eps = 0x1p-5f};
    const std::vector<kernels::Mask> masks(kStreamsOfATensor * tensors);
    const auto found = f.loss->loss_sums(PerturbedPairs(pairs->view(), noise, masks), f.all);
    ASSERT_EQ(found.size(), 2u);
    for (const bool plus : {true, false}) {
      for (std::size_t i = 0; i < pairs->parameters().size(); ++i) {
        const Parameter& p = pairs->parameters()[i];
        std::vector<float> up(static_cast<std::size_t>(p.count)), down(up.size());
        kernels::Noise of = noise;
        of.tensor = static_cast<std::uint32_t>(stream_id(p, tensors));
        kernels::perturb(reinterpret_cast<const float*>(pairs->values(i)), up.data(), down.data(), 0, up.size(), of,
                         {});
        std::memcpy(moved->values(i), (plus ? up : down).data(), up.size() * sizeof(float));
      }
      EXPECT_NEAR(found[plus ? 0 : 1], f.loss->loss_sums(moved->view(), f.all)[0], 1e-4) << dora;
    }
    EXPECT_GT(std::abs(found[0] - found[1]), 1e-3);
  }
}

// The projected gradient is the slope along z that the backward pass finds.
TEST(ZerothOrderPairs, ProjectedGradientIsTheBackwardsSlopeAlongZ) {
  Fixture f;
  auto pairs = f.pairs();
  shake(*pairs);
  const auto& parameters = pairs->parameters();
  std::vector<std::size_t> active(parameters.size());
  std::iota(active.begin(), active.end(), std::size_t{0});
  GradientBuffers sums(parameters, active, f.store.size(), static_cast<std::int64_t>(f.store.shape().layers.size()),
                       false);
  const double terms = f.loss->terms(f.all);
  f.loss->loss_and_gradients(pairs->view(), f.all, 1 / terms, false, sums);
  constexpr float kEps = 0x1p-11f;
  constexpr std::uint64_t kSeed = 1;
  ZerothOrderEngine engine(*pairs, f.team, {.eps = kEps}, kSeed);
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto estimate = engine.estimate(step, [&](const WeightView& view) {
      const auto found = f.loss->loss_sums(view, f.all);
      return ZerothOrderEngine::BranchLosses{found[0] / terms, found[1] / terms};
    });
    double slope = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto n = static_cast<std::size_t>(parameters[i].count);
      std::vector<float> z(n);
      kernels::directions({kernels::Direction::gaussian, philox_key(kSeed, step, 0),
                           static_cast<std::uint32_t>(stream_id(parameters[i], f.store.size())), kEps},
                          0, n, z.data());
      for (std::size_t j = 0; j < n; ++j) slope += static_cast<double>(z[j]) * static_cast<double>(sums.sum(i)[j]);
    }
    // Losses of 4 nats to a few 2^-24 over 2 eps: 5e-3. The third derivative's share falls with eps^2: 0.4 at 2^-8.
    EXPECT_NEAR(estimate.projected_gradients[0], slope, 0.02 * std::abs(slope) + 2e-2) << step;
  }
}

TEST(ZerothOrderPairs, ALogOfStepsGivesTheSameBitsOnAnyBaseAndTheBaseKeepsIts) {
  for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::nf4}) {
    for (const bool dora : {false, true}) {
      Fixture f(2, type), other(3, type);
      const std::string base = f.sha256();
      const ZerothOrderConfig config{.samples = 2};
      auto tuner = f.tuner(config, dora), again = other.tuner(config, dora);
      const std::string start = weights_sha256(tuner->result());
      tuner->step(0, 0, f.all);
      EXPECT_EQ(weights_sha256(tuner->result()), start) << "no step size, no change";
      tuner->restart();
      for (std::uint64_t step = 0; step < 4; ++step) {
        const TuningStep taken = tuner->step(step, 1e-2, f.all);
        ASSERT_FALSE(taken.skipped);
        again->replay(step, 1e-2, taken.record);
      }
      EXPECT_NE(weights_sha256(tuner->result()), start);
      EXPECT_EQ(weights_sha256(tuner->result()), weights_sha256(again->result()));
      EXPECT_EQ(f.sha256(), base);
      ASSERT_TRUE(tuner->adapter());
      EXPECT_EQ(tuner->adapter()->use_dora(), dora);
    }
  }
}

// A factor of zeros has no small part: it is trained whole, or the pair would stay a product with zero. Of the other
// factor a quarter moves.
TEST(ZerothOrderPairs, MasksByMagnitudeSpareAFactorOfZeros) {
  for (const char* rule : {"small", "large"}) {
    Fixture f;
    auto pairs = f.pairs(), before = f.pairs();
    ZerothOrderEngine engine(*pairs, f.team, {}, 1, {.sparsity = 0.75, .mask = rule});
    const std::vector<float> g = {1};
    for (std::uint64_t step = 0; step < 3; ++step) {
      std::vector<std::vector<float>> last;
      for (std::size_t i = 0; i < pairs->parameters().size(); ++i) {
        const auto* values = reinterpret_cast<const float*>(pairs->values(i));
        last.emplace_back(values, values + pairs->parameters()[i].count);
      }
      engine.update(step, 1e-3f, g);
      for (std::size_t i = 0; i < last.size(); ++i) {
        const auto* values = reinterpret_cast<const float*>(pairs->values(i));
        std::size_t moved = 0;
        for (std::size_t j = 0; j < last[i].size(); ++j) moved += values[j] != last[i][j];
        const double share = static_cast<double>(moved) / static_cast<double>(last[i].size());
        if (pairs->parameters()[i].part == Parameter::Part::factor_b)
          EXPECT_GT(share, 0.9) << pairs->parameters()[i].name;  // table Gaussians have zeros
        else
          EXPECT_NEAR(share, 0.25, 0.1) << pairs->parameters()[i].name;
      }
    }
  }
}

}  // namespace
}  // namespace frugal
