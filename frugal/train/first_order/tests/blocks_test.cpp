// Blocks that take turns, against a straight loop on a quadratic, and the mistakes of the reference implementation of
// BAdam that these would catch.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "frugal/base/philox.h"
#include "frugal/nn/model/tensor_ids.h"
#include "frugal/train/first_order/tests/small_tuning.h"

namespace frugal {
namespace {

using namespace first_order_tests;

// f(x) = x'Ax / 2 - c'x over the first kEach entries of the gains of four norms, A = M'M / n + I / 10.
class Quadratic : public Objective {
 public:
  static constexpr int kEach = 6, kBlocks = 4, kAll = kEach * kBlocks;
  explicit Quadratic(const WeightStore& store) {
    const DecoderIds ids(store.shape());
    for (const LayerIds& layer : ids.layers) tensors_.insert(tensors_.end(), {layer.input_norm, layer.post_norm});
    PhiloxSequence random(11, Stream::initial);
    std::vector<double> m(kAll * kAll);
    for (double& x : m) x = 2 * random.uniform() - 1;
    for (double& x : c_) x = 2 * random.uniform() - 1;
    for (int i = 0; i < kAll; ++i) {
      for (int j = 0; j < kAll; ++j) {
        for (int k = 0; k < kAll; ++k) a_[i * kAll + j] += m[k * kAll + i] * m[k * kAll + j] / kAll;
      }
      a_[i * kAll + i] += 0.1;
    }
  }
  std::size_t tensor(int block) const { return tensors_[static_cast<std::size_t>(block)]; }
  double gradient(const std::vector<double>& x, int i) const {
    double sum = -c_[i];
    for (int j = 0; j < kAll; ++j) sum += a_[i * kAll + j] * x[static_cast<std::size_t>(j)];
    return sum;
  }
  std::vector<double> at(const WeightView& view) const {
    std::vector<double> x;
    for (const std::size_t id : tensors_) x.insert(x.end(), view.store().f32(id), view.store().f32(id) + kEach);
    return x;
  }

  std::size_t size() const override { return 1; }
  std::vector<std::int32_t> classes() const override { return {0}; }
  double terms(Indices) const override { return 1; }
  std::size_t forwards(Indices) const override { return 1; }
  std::vector<double> loss_sums(const WeightView& view, Indices) override {
    const auto x = at(view);
    double sum = 0;
    for (int i = 0; i < kAll; ++i) sum += x[static_cast<std::size_t>(i)] * (gradient(x, i) - c_[i]) / 2;
    return {sum};
  }
  std::vector<double> error_sums(const WeightView&, Indices) override { return {0}; }
  double loss_and_gradients(const WeightView& view, Indices all, double, bool, Gradients& gradients) override {
    const auto x = at(view);
    const double loss = loss_sums(view, all)[0];
    lowest.push_back(gradients.lowest_layer());
    for (int layer = kBlocks / 2 - 1; layer >= gradients.lowest_layer(); --layer) {
      for (int b = 2 * layer; b < 2 * layer + 2; ++b) {
        float* sum = gradients.of(tensor(b)).sum;
        for (int i = 0; sum != nullptr && i < kEach; ++i) sum[i] += static_cast<float>(gradient(x, b * kEach + i));
      }
      gradients.layer_done(static_cast<std::size_t>(layer));
    }
    return loss;
  }
  Json evaluate(const WeightView&, const std::string&) override { return {}; }
  Metric metric() const override { return {"loss", false}; }
  std::vector<std::int64_t> lowest;  // of each backward

 private:
  std::vector<std::size_t> tensors_;
  std::array<double, kAll * kAll> a_{};
  std::array<double, kAll> c_{};
};

const FirstOrderConfig usual;

struct Blocks {
  explicit Blocks(std::vector<std::size_t> order, std::uint64_t every, const FirstOrderConfig& config = usual,
                  std::vector<int> always = {}, bool resets_always = false)
      : objective(f.store) {
    std::vector<bool> chosen(f.store.size());
    for (int b = 0; b < Quadratic::kBlocks; ++b) chosen[objective.tensor(b)] = true;
    auto what = std::make_unique<WholeWeights>(f.store, f.team, chosen);
    BlockSchedule schedule;
    for (int b = 0; b < Quadratic::kBlocks; ++b) {
      std::vector<std::size_t> members;
      for (std::size_t i = 0; i < what->parameters().size(); ++i) {
        if (what->parameters()[i].id == objective.tensor(b)) members.push_back(i);
      }
      const bool is_always = std::find(always.begin(), always.end(), b) != always.end();
      if (is_always) schedule.always.insert(schedule.always.end(), members.begin(), members.end());
      schedule.blocks.push_back(is_always ? std::vector<std::size_t>{} : members);
      schedule.names.push_back(std::to_string(b));
    }
    schedule.active = [order, every](std::uint64_t step) { return order[step / every % order.size()]; };
    schedule.turn = [every](std::uint64_t step) { return step / every; };
    schedule.resets_always = resets_always;
    tuner = std::make_unique<FirstOrderTuner>(std::move(what), f.team, &objective, config, FirstOrderRun(),
                                              std::move(schedule));
  }
  std::vector<double> x() const { return objective.at(tuner->view()); }

  Fixture f;
  Quadratic objective;
  std::unique_ptr<FirstOrderTuner> tuner;
  const std::vector<std::uint32_t> batch = {0};
};

// A block's moments and step count: fresh at each of its turns.
struct Moments {
  double m[Quadratic::kEach] = {}, v[Quadratic::kEach] = {};
  int k = 0;
  void step(std::vector<double>& x, const std::vector<double>& g, int block, double lr, double eps) {
    ++k;
    for (int i = 0; i < Quadratic::kEach; ++i) {
      const auto at = static_cast<std::size_t>(block * Quadratic::kEach + i);
      m[i] = 0.9 * m[i] + 0.1 * g[at];
      v[i] = 0.999 * v[i] + 0.001 * g[at] * g[at];
      x[at] -= lr * m[i] / (1 - std::pow(0.9, k)) / (std::sqrt(v[i] / (1 - std::pow(0.999, k))) + eps);
    }
  }
};

std::vector<double> gradients_at(const Quadratic& f, const std::vector<double>& x) {
  std::vector<double> g;
  for (int i = 0; i < Quadratic::kAll; ++i) g.push_back(f.gradient(x, i));
  return g;
}

// Ascending, descending, one all the time, and a permutation: K = 7, the first block too (the reference gave it 6), the
// moments and their bias correction begin anew (a step count kept over blocks would make the first steps of a block a
// tenth to three times as long), nothing outside the block moves. Tolerance: fp32 weights of size 1 over 84 steps.
TEST(Blocks, FollowAStraightLoopOnAQuadratic) {
  for (const auto& order : {std::vector<std::size_t>{0, 1, 2, 3}, {3, 2, 1, 0}, {2}, {1, 3, 0, 2}}) {
    Blocks b(order, 7);
    std::vector<double> x = b.x();
    Moments moments;
    for (std::uint64_t step = 0; step < 3 * 4 * 7; ++step) {
      const auto block = static_cast<int>(order[step / 7 % order.size()]);
      if (step % 7 == 0) moments = {};
      moments.step(x, gradients_at(b.objective, x), block, 1e-2, 1e-8);
      const auto before = b.x();
      const auto result = b.tuner->step(step, 1e-2, b.batch);
      EXPECT_EQ(result.details["active_block"], std::to_string(block));
      EXPECT_EQ(b.objective.lowest.back(), block / 2) << "the backward stops at the active block";
      const auto after = b.x();
      for (int i = 0; i < Quadratic::kAll; ++i) {
        const auto at = static_cast<std::size_t>(i);
        ASSERT_NEAR(after[at], x[at], 84 * 1.2e-7 * 4 + 1e-5) << step << " " << i;
        if (i / Quadratic::kEach != block) {
          ASSERT_EQ(after[at], before[at]) << "a frozen entry moved";
        }
      }
    }
  }
}

// What is always active keeps its moments over switches; with resets_always it begins anew, as in the reference.
TEST(Blocks, AlwaysActiveStateIsKeptUnlessAskedFor) {
  for (const bool resets : {false, true}) {
    Blocks b({0, 1, 2}, 4, usual, {3}, resets);
    std::vector<double> x = b.x();
    Moments turn, always;
    for (std::uint64_t step = 0; step < 24; ++step) {
      if (step % 4 == 0) turn = {};
      if (step % 4 == 0 && resets) always = {};
      const auto g = gradients_at(b.objective, x);
      turn.step(x, g, static_cast<int>(step / 4 % 3), 1e-2, 1e-8);
      always.step(x, g, 3, 1e-2, 1e-8);
      b.tuner->step(step, 1e-2, b.batch);
      const auto found = b.x();
      for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], x[i], 2e-5) << resets << step << " " << i;
    }
  }
}

// The state is that of the block: 8 bytes a number of it and a header, whatever the model's size.
TEST(Blocks, HoldStateOfTheActiveBlockAlone) {
  Blocks b({0, 1, 2, 3}, 2);
  const auto hidden = static_cast<std::size_t>(b.f.store.shape().hidden);
  for (std::uint64_t step = 0; step < 6; ++step) {
    b.tuner->step(step, 1e-2, b.batch);
    for (const NamedBytes& part : b.tuner->state(step + 1)) {
      if (part.name == "optimizer") {
        EXPECT_EQ(part.bytes.size(), 64 + 8 * hidden);
      }
    }
  }
}

// Weight decay is for matrices: the reference's exclusion of norms is void, a later key of the group wins.
TEST(Blocks, VectorsDoNotDecay) {
  FirstOrderConfig config;
  config.step.weight_decay = 0.5;
  Blocks decayed({0}, 5, config), plain({0}, 5);
  for (std::uint64_t step = 0; step < 5; ++step) {
    decayed.tuner->step(step, 1e-2, decayed.batch);
    plain.tuner->step(step, 1e-2, plain.batch);
  }
  EXPECT_EQ(decayed.x(), plain.x());
}

// Layers of the small model in turns: a batch in parts steps as the whole one, over two switches.
TEST(Blocks, AccumulationIsTheBigBatchOverSwitches) {
  const auto run = [](Fixture& f, std::int64_t parts) {
    auto what = std::make_unique<WholeWeights>(f.store, f.team, std::vector<bool>(f.store.size(), true));
    BlockSchedule schedule;
    schedule.blocks.resize(2);
    schedule.names = {"0", "1"};
    for (std::size_t i = 0; i < what->parameters().size(); ++i) {
      const std::int64_t layer = what->parameters()[i].layer;
      if (layer == 0 || layer == 1) schedule.blocks[static_cast<std::size_t>(layer)].push_back(i);
    }
    schedule.active = [](std::uint64_t step) { return step / 10 % 2; };
    schedule.turn = [](std::uint64_t step) { return step / 10; };
    FirstOrderConfig config;
    config.step.accumulation = parts;
    config.adam_epsilon = 1e-3;  // gradients near 0 differ by the order of their sums
    FirstOrderTuner tuner(std::move(what), f.team, f.loss.get(), config, FirstOrderRun(), std::move(schedule));
    for (std::uint64_t step = 0; step < 30; ++step) tuner.step(step, 1e-3, f.all);
  };
  Fixture whole, parts;
  run(whole, 1);
  run(parts, 3);
  for (std::size_t id = 0; id < whole.store.size(); ++id) {
    for (std::int64_t i = 0; i < whole.store.elements(id); ++i)
      ASSERT_NEAR(whole.store.f32(id)[i], parts.store.f32(id)[i], 1e-5) << whole.store.spec(id).name;
  }
}

}  // namespace
}  // namespace frugal
