// bf16 weights and their fp32 masters: small steps add up, and what a block loses at its end comes back.
#include "frugal/train/first_order/residuals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frugal/nn/model/tensor_ids.h"
#include "frugal/train/first_order/tests/small_tuning.h"

namespace frugal {
namespace {

using namespace first_order_tests;
using kernels::Bf16;

std::unique_ptr<FirstOrderTuner> one_matrix(Fixture& f, bool keeps_residuals, std::uint64_t every) {
  const DecoderIds ids(f.store.shape());
  std::vector<bool> chosen(f.store.size());
  chosen[ids.layers[0][kUp].weight] = chosen[ids.layers[1][kUp].weight] = true;
  auto what = std::make_unique<WholeWeights>(f.store, f.team, chosen);
  BlockSchedule schedule;
  schedule.blocks = {{0}, {1}};
  schedule.names = {"0", "1"};
  schedule.active = [every](std::uint64_t step) { return step / every % 2; };
  schedule.turn = [every](std::uint64_t step) { return step / every; };
  const FirstOrderConfig config{.update = "master"};
  const FirstOrderRun run{.keeps_residuals = keeps_residuals};
  return std::make_unique<FirstOrderTuner>(std::move(what), f.team, f.loss.get(), config, run, std::move(schedule));
}

// The masters of the active matrix of n numbers: behind the header and two moments.
std::vector<float> masters_of(FirstOrderTuner& tuner, std::uint64_t steps, std::size_t n) {
  for (const NamedBytes& part : tuner.state(steps)) {
    if (part.name != "optimizer") continue;
    const auto* at = reinterpret_cast<const float*>(part.bytes.data()) + 16 + 2 * n;
    return {at, at + n};
  }
  return {};
}

// Steps of 1e-6 are far below half a unit of bf16 in the last place of nearly all weights.
TEST(MixedPrecision, MastersMoveWhereBf16AloneWouldNot) {
  Fixture f(2, WeightType::bf16);
  const std::size_t id = DecoderIds(f.store.shape()).layers[0][kUp].weight;
  const auto n = static_cast<std::size_t>(f.store.elements(id));
  std::vector<float> before(n), alone(n);
  kernels::to_float(f.store.bf16(id), before.data(), n);
  const double start = f.loss->loss_sums(BaseView(f.store), f.all)[0];
  auto tuner = one_matrix(f, false, 200);
  for (std::uint64_t step = 0; step < 200; ++step) tuner->step(step, 1e-6, f.all);
  const auto masters = masters_of(*tuner, 200, n);
  ASSERT_EQ(masters.size(), n);
  std::size_t moved = 0, moved_alone = 0;
  double length = 0;
  for (std::size_t i = 0; i < n; ++i) {
    moved += masters[i] != before[i];
    length += std::abs(static_cast<double>(masters[i]) - static_cast<double>(before[i])) / static_cast<double>(n);
    const float stepped = before[i] - 1e-6f;  // AdamW's step is no longer
    Bf16 rounded;
    kernels::to_bf16(&stepped, &rounded, 1);
    float back;
    kernels::to_float(&rounded, &back, 1);
    moved_alone += back != before[i];
  }
  EXPECT_GE(static_cast<double>(moved), 0.99 * static_cast<double>(n));
  EXPECT_GT(length, 0.3 * 200 * 1e-6) << "steps add up";
  EXPECT_LT(static_cast<double>(moved_alone), 0.2 * static_cast<double>(n));
  EXPECT_LT(f.loss->loss_sums(BaseView(f.store), f.all)[0], start);
}

// Within half a 127th of the largest loss of a row, and the weights keep their bits meanwhile.
TEST(Residuals, ComeBackAtABlocksNextTurn) {
  constexpr std::uint64_t kEvery = 5;
  Fixture f(2, WeightType::bf16);
  const TensorSpec& spec = f.store.spec(DecoderIds(f.store.shape()).layers[0][kUp].weight);
  const std::size_t id = DecoderIds(f.store.shape()).layers[0][kUp].weight,
                    n = static_cast<std::size_t>(f.store.elements(id));
  for (const bool keeps : {true, false}) {
    auto tuner = one_matrix(f, keeps, kEvery);
    for (std::uint64_t step = 0; step < kEvery; ++step) tuner->step(step, 1e-5, f.all);
    const auto masters = masters_of(*tuner, kEvery, n);
    std::vector<float> weights(n);
    kernels::to_float(f.store.bf16(id), weights.data(), n);
    for (std::uint64_t step = kEvery; step < 2 * kEvery; ++step) tuner->step(step, 1e-5, f.all);
    tuner->step(2 * kEvery, 0, f.all);  // lr 0: the masters as they begin
    const auto again = masters_of(*tuner, 2 * kEvery + 1, n);
    double lost = 0, missing = 0;
    for (std::size_t row = 0; row < static_cast<std::size_t>(spec.rows); ++row) {
      const auto cols = static_cast<std::size_t>(spec.cols);
      float most = 0;
      for (std::size_t i = row * cols; i < (row + 1) * cols; ++i)
        most = std::max(most, std::abs(masters[i] - weights[i]));
      for (std::size_t i = row * cols; i < (row + 1) * cols; ++i) {
        lost += std::abs(static_cast<double>(masters[i]) - static_cast<double>(weights[i]));
        missing += std::abs(static_cast<double>(masters[i]) - static_cast<double>(again[i]));
        if (keeps) {
          ASSERT_NEAR(again[i], masters[i], static_cast<double>(most) / 254 + 1e-7) << row;
        }
      }
    }
    EXPECT_GT(lost, 0);
    if (keeps)
      EXPECT_LT(missing, 0.01 * lost);
    else
      EXPECT_NEAR(missing, lost, 1e-12) << "without, a block begins from its bf16 weights";
    f.store.load(f.team);
  }
}

TEST(Residuals, AreKeptOverAResume) {
  constexpr std::uint64_t kEvery = 3;
  for (const std::uint64_t stop : {2 * kEvery, 2 * kEvery + 1}) {
    Fixture straight(2, WeightType::bf16), first(1, WeightType::bf16), second(2, WeightType::bf16);
    auto a = one_matrix(straight, true, kEvery), b = one_matrix(first, true, kEvery),
         c = one_matrix(second, true, kEvery);
    for (std::uint64_t step = 0; step < 4 * kEvery; ++step) a->step(step, 1e-5, straight.all);
    for (std::uint64_t step = 0; step < stop; ++step) b->step(step, 1e-5, first.all);
    ASSERT_TRUE(load(*c, bits_of(b->state(stop)), stop));
    for (std::uint64_t step = stop; step < 4 * kEvery; ++step) c->step(step, 1e-5, second.all);
    EXPECT_EQ(bits_of(a->state(4 * kEvery)), bits_of(c->state(4 * kEvery)));
  }
}

}  // namespace
}  // namespace frugal
