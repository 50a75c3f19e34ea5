// The engine on losses whose answers are known: a linear loss read through the view, a quadratic in a few weights.
#include "frugal/train/zeroth_order/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/core/products.h"

namespace frugal {
namespace {

struct Fixture {
  explicit Fixture(WeightType type, int threads = 2)
      : team(threads),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied")),
        store(source, type, team),
        what(store, team, std::vector<bool>(store.size(), true)) {}
  std::vector<std::byte> bits() const {
    std::vector<std::byte> all;
    for (std::size_t id = 0; id < store.size(); ++id)
      all.insert(all.end(), store.bytes(id).begin(), store.bytes(id).end());
    return all;
  }
  std::vector<std::vector<float>> values(const WeightView& view, int branch) const {
    std::vector<std::vector<float>> all;
    for (std::size_t id = 0; id < store.size(); ++id) {
      std::vector<std::vector<float>> branches(static_cast<std::size_t>(view.branches()),
                                               std::vector<float>(static_cast<std::size_t>(store.elements(id))));
      std::vector<float*> out;
      for (auto& b : branches) out.push_back(b.data());
      view.rows(id, 0, store.spec(id).rows, out.data());
      all.push_back(branches[static_cast<std::size_t>(branch)]);
    }
    return all;
  }
  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  WholeWeights what;
};

// A fixed pseudo-random gradient: L(w) = <G, w>.
double linear_loss(const std::vector<std::vector<float>>& w) {
  double sum = 0;
  for (std::size_t id = 0; id < w.size(); ++id) {
    for (std::size_t i = 0; i < w[id].size(); ++i) {
      sum +=
          (static_cast<int>((philox(99, i, static_cast<std::uint32_t>(id), Stream::initial)[0] >> 20)) / 2048.0 - 1) *
          static_cast<double>(w[id][i]);
    }
  }
  return sum;
}

ZerothOrderEngine::Loss linear(const Fixture& f) {
  return [&f](const WeightView& view) -> ZerothOrderEngine::BranchLosses {
    return {linear_loss(f.values(view, 0)), linear_loss(f.values(view, 1))};
  };
}

// On a linear loss the two-sided difference is <G, z> for every eps, up to fp32 rounding of w +- eps z.
TEST(ZerothOrder, ProjectedGradientOfALinearLossIsItsSlopeAlongZ) {
  for (const auto direction : {kernels::Direction::sign, kernels::Direction::gaussian, kernels::Direction::gaussian16,
                               kernels::Direction::gaussian_exact}) {
    for (const float eps : {0x1p-4f, 0x1p-7f}) {
      Fixture f(WeightType::f32);
      ZerothOrderEngine engine(f.what, f.team, {.eps = eps, .direction = name(direction)}, 5);
      const auto estimate = engine.estimate(3, linear(f));
      double slope = 0, size = 0;
      const std::uint64_t key = philox_key(5, 3, 0);
      std::vector<std::vector<float>> z;
      for (std::size_t id = 0; id < f.store.size(); ++id) {
        z.emplace_back(static_cast<std::size_t>(f.store.elements(id)));
        kernels::directions({direction, key, static_cast<std::uint32_t>(id), eps}, 0, z.back().size(), z.back().data());
        size += static_cast<double>(z.back().size());
      }
      slope = linear_loss(z);
      // Each of the 2 d sums is rounded to 2^-24 of |w| < 2; the tables' scale is rounded to 16 bits.
      EXPECT_NEAR(estimate.projected_gradients[0], slope,
                  2 * std::sqrt(size) * 0x1p-23 / eps + std::fabs(slope) * 0x1p-15)
          << eps;
      EXPECT_TRUE(estimate.finite);
    }
  }
}

TEST(ZerothOrder, EstimateWritesNothingAndLrZeroChangesNothing) {
  for (const WeightType type : {WeightType::bf16, WeightType::f32}) {
    Fixture f(type);
    const auto before = f.bits();
    ZerothOrderConfig config{.samples = 2};
    config.step.weight_decay = 0.1;
    ZerothOrderEngine engine(f.what, f.team, config);
    const auto estimate = engine.estimate(0, linear(f));
    EXPECT_EQ(f.bits(), before);
    engine.update(0, 0.0f, estimate.projected_gradients);
    EXPECT_EQ(f.bits(), before);
    engine.update(0, 1e-3f, estimate.projected_gradients);
    EXPECT_NE(f.bits(), before);
  }
}

TEST(ZerothOrder, ThreadsDoNotChangeTheWeights) {
  Fixture one(WeightType::bf16, 1), three(WeightType::bf16, 3);
  for (Fixture* f : {&one, &three}) {
    ZerothOrderConfig config{.samples = 3};
    config.step.weight_decay = 0.01;
    ZerothOrderEngine engine(f->what, f->team, config, 1, {.mask = "small"});
    for (std::uint64_t step = 0; step < 20; ++step)
      engine.update(step, 1e-3f, engine.estimate(step, linear(*f)).projected_gradients);
  }
  EXPECT_EQ(one.bits(), three.bits());
}

// A descent step on a linear loss lowers it by lr g^2 (z.z)-ish: with fp32 weights exactly lr g <G, z> = lr g^2.
TEST(ZerothOrder, UpdateMovesDownTheProjectedGradient) {
  Fixture f(WeightType::f32);
  ZerothOrderEngine engine(f.what, f.team, {.eps = 0x1p-6, .direction = "sign", .evaluated_direction = false});
  const double before = linear_loss(f.values(BaseView(f.store), 0));
  const auto g = engine.estimate(0, linear(f)).projected_gradients;
  engine.update(0, 1e-3f, g);
  const double after = linear_loss(f.values(BaseView(f.store), 0));
  const double expected = -1e-3 * static_cast<double>(g[0]) * static_cast<double>(g[0]);
  EXPECT_NEAR(after - before, expected, std::fabs(expected) * 1e-3 + 1e-4);
  EXPECT_LT(after, before);
}

class Masks : public testing::TestWithParam<std::tuple<std::string, bool>> {};

// A masked run: what the mask never let in keeps its bits, and the trained share is what was asked.
TEST_P(Masks, FrozenWeightsKeepTheirBits) {
  const auto [rule, dynamic] = GetParam();
  Fixture f(WeightType::f32);
  const auto start = f.values(BaseView(f.store), 0);
  ZerothOrderEngine engine(f.what, f.team, {}, 1, {.sparsity = 0.75, .mask = rule, .dynamic_mask = dynamic});
  std::vector<std::vector<char>> ever(f.store.size());
  for (std::uint64_t step = 0; step < 5; ++step) {
    const auto now = f.values(BaseView(f.store), 0);
    const auto g = engine.estimate(step, linear(f)).projected_gradients;
    engine.update(step, 1e-4f, g);
    const auto then = f.values(BaseView(f.store), 0);
    for (std::size_t id = 0; id < f.store.size(); ++id) {
      if (f.store.spec(id).is_vector) continue;
      const float t = engine.thresholds()[id];
      std::size_t moved = 0;
      for (std::size_t i = 0; i < now[id].size(); ++i) {
        const auto& reference = dynamic ? now[id][i] : start[id][i];
        const bool allowed = rule == "small" ? std::fabs(reference) <= t : std::fabs(reference) > t;
        if (rule != "random" && !allowed) {
          EXPECT_EQ(now[id][i], then[id][i]) << f.store.spec(id).name << " " << i;
        }
        moved += now[id][i] != then[id][i];
      }
      const auto n = static_cast<double>(now[id].size());
      EXPECT_NEAR(static_cast<double>(moved) / n, 0.25, 5 * std::sqrt(0.25 * 0.75 / n) + 0.02) << f.store.spec(id).name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Masks, testing::Combine(testing::Values("small", "large", "random"), testing::Bool()));

// E ||g z||^2 = (d + n + 1) / n ||grad||^2 for Gaussian directions (spec: Sparse MeZO, Theory), here for the linear
// loss, whose gradient is G: the mean of g^2 over steps is ||G||^2, since g = <G, z>.
TEST(ZerothOrder, MeanSquareOfTheProjectedGradientIsTheGradientsNorm) {
  Fixture f(WeightType::f32);
  ZerothOrderEngine engine(f.what, f.team, {.eps = 0x1p-5});
  double norm = 0;
  for (std::size_t id = 0; id < f.store.size(); ++id) {
    for (std::int64_t i = 0; i < f.store.elements(id); ++i) {
      const double g =
          static_cast<int>(
              philox(99, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(id), Stream::initial)[0] >> 20) /
              2048.0 -
          1;
      norm += g * g;
    }
  }
  constexpr int kSteps = 400;
  double sum = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double g = engine.estimate(static_cast<std::uint64_t>(step), linear(f)).projected_gradients[0];
    sum += g * g;
  }
  // g^2 / norm is chi-squared with one degree of freedom: variance 2.
  EXPECT_NEAR(sum / kSteps / norm, 1, 5 * std::sqrt(2.0 / kSteps));
}

TEST(ZerothOrder, NamesATensorThatIsNotFinite) {
  Fixture f(WeightType::f32);
  reinterpret_cast<float*>(f.store.bytes(2).data())[5] = NAN;
  try {
    const ZerothOrderEngine engine(f.what, f.team, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(f.store.spec(2).name), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace frugal
