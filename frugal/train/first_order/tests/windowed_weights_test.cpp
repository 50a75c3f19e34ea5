// A share of every tensor at a time: which entries step, and that nothing else does.
#include "frugal/train/parametrisation/windowed_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "frugal/train/first_order/tests/small_tuning.h"

namespace frugal {
namespace {

using namespace first_order_tests;

constexpr std::uint64_t kEvery = 3;

std::vector<bool> layers_of(const WeightStore& store) {
  std::vector<bool> chosen(store.size());
  for (std::size_t id = 0; id < store.size(); ++id)
    chosen[id] = store.spec(id).name.find(".layers.") != std::string::npos;
  return chosen;
}

const FirstOrderConfig usual;

struct Tuned {
  Tuned(Fixture& f, WindowOptions::Order order, double ratio, const FirstOrderConfig& config = usual) {
    auto what = std::make_unique<WindowedWeights>(f.store, f.team, layers_of(f.store), WindowOptions{order, ratio, 5});
    windows = what.get();
    BlockSchedule schedule;
    schedule.names = {"share"};
    schedule.blocks.emplace_back(what->parameters().size());
    std::iota(schedule.blocks[0].begin(), schedule.blocks[0].end(), std::size_t{0});
    schedule.active = [](std::uint64_t) { return std::size_t{0}; };
    schedule.turn = [](std::uint64_t step) { return step / kEvery; };
    tuner = std::make_unique<FirstOrderTuner>(std::move(what), f.team, f.loss.get(), config, FirstOrderRun(),
                                              std::move(schedule));
  }
  WindowedWeights* windows;
  std::unique_ptr<FirstOrderTuner> tuner;
};

std::int64_t entry_of(const Parameter& p, std::int64_t i) { return p.window ? p.window->entry(i) : i; }

class EveryOrder : public testing::TestWithParam<WindowOptions::Order> {};
INSTANTIATE_TEST_SUITE_P(Windows, EveryOrder,
                         testing::Values(WindowOptions::Order::adjacent, WindowOptions::Order::scatter,
                                         WindowOptions::Order::adjacent_rows));

// Against the formula on dense gradients, over three turns: moments begin anew at each, entries outside keep their
// bits. A large epsilon keeps the noise of gradients near 0 out of the comparison.
TEST_P(EveryOrder, StepsAreAdamWOnTheWindowsEntriesAlone) {
  for (const double clip : {0.0, 0.05}) {  // by layers, and with the norm of the trained entries
    Fixture f, reference;
    const FirstOrderConfig config{.adam_epsilon = 1e-3, .max_grad_norm = clip};
    Tuned tuned(f, GetParam(), 0.3, config);
    const WholeWeights whole(reference.store, reference.team, std::vector<bool>(reference.store.size(), true));
    std::vector<std::size_t> all(whole.parameters().size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    GradientBuffers dense(whole.parameters(), all, reference.store.size(), 2, false);
    std::vector<std::vector<double>> m(reference.store.size()), v(reference.store.size());
    for (std::uint64_t step = 0; step < 3 * kEvery; ++step) {
      dense.zero();
      reference.loss->loss_and_gradients(BaseView(reference.store), f.all, 1 / reference.loss->terms(f.all), false,
                                         dense);
      const auto result = tuned.tuner->step(step, 1e-2, f.all);
      double squares = 0;
      for (const Parameter& p : tuned.windows->parameters()) {
        for (std::int64_t i = 0; i < p.count; ++i)
          squares += std::pow(static_cast<double>(dense.of(p.id).sum[entry_of(p, i)]), 2);
      }
      EXPECT_NEAR(result.details["gradient_norm"].get<double>(), std::sqrt(squares), 1e-4);
      const double scale = clip > 0 ? std::min(1.0, clip / std::sqrt(squares)) : 1;
      const double t = static_cast<double>(step % kEvery + 1);
      for (const Parameter& p : tuned.windows->parameters()) {
        if (step % kEvery == 0) {
          m[p.id].assign(static_cast<std::size_t>(reference.store.elements(p.id)), 0);
          v[p.id] = m[p.id];
        }
        auto* w = reinterpret_cast<float*>(reference.store.bytes(p.id).data());
        for (std::int64_t i = 0; i < p.count; ++i) {
          const auto at = static_cast<std::size_t>(entry_of(p, i));
          const double g = scale * static_cast<double>(dense.of(p.id).sum[at]);
          m[p.id][at] = 0.9 * m[p.id][at] + 0.1 * g;
          v[p.id][at] = 0.999 * v[p.id][at] + 0.001 * g * g;
          w[at] -= static_cast<float>(1e-2 * (m[p.id][at] / (1 - std::pow(0.9, t))) /
                                      (std::sqrt(v[p.id][at] / (1 - std::pow(0.999, t))) + 1e-3));
        }
      }
      for (std::size_t id = 0; id < f.store.size(); ++id) {
        for (std::int64_t i = 0; i < f.store.elements(id); ++i)
          ASSERT_NEAR(f.store.f32(id)[i], reference.store.f32(id)[i], 1e-4) << step << f.store.spec(id).name << i;
      }
    }
    const Fixture fresh;
    for (std::size_t id = 0; id < f.store.size(); ++id) {
      if (!layers_of(f.store)[id]) {
        EXPECT_EQ(std::memcmp(f.store.f32(id), fresh.store.f32(id), f.store.bytes(id).size()), 0) << id;
      }
    }
  }
}

// Every entry has had its turn after a round, and windows of a round that divides evenly do not overlap.
TEST_P(EveryOrder, ARoundReachesEveryEntry) {
  Fixture f;
  WindowedWeights windows(f.store, f.team, layers_of(f.store), {GetParam(), 0.25, 5});
  std::vector<std::vector<int>> visits(f.store.size());
  for (std::uint64_t turn = 0; turn < 4; ++turn) {
    windows.begin_turn(turn);
    for (const Parameter& p : windows.parameters()) {
      visits[p.id].resize(static_cast<std::size_t>(f.store.elements(p.id)));
      for (std::int64_t i = 0; i < p.count; ++i) ++visits[p.id][static_cast<std::size_t>(entry_of(p, i))];
      EXPECT_LE(p.gradient_count(), f.store.elements(p.id));
      const bool is_matrix = !f.store.spec(p.id).is_vector;
      if (GetParam() == WindowOptions::Order::adjacent_rows && is_matrix) {
        EXPECT_EQ(p.count % p.cols, 0);
        EXPECT_EQ(p.gradient_count(), p.count) << "no other row's gradient is made";
        EXPECT_EQ(static_cast<std::int64_t>(p.rows.size()) * p.cols, p.count);
      }
    }
  }
  for (const Parameter& p : windows.parameters()) {
    const bool divides = f.store.elements(p.id) % 4 == 0;
    for (const int n : visits[p.id]) {
      ASSERT_GE(n, 1) << p.name;
      if (p.window && divides) {
        ASSERT_EQ(n, 1) << p.name;
      }
    }
  }
}

// Windows that run over the end, whatever the share: the rows that are made cover the entries.
TEST_P(EveryOrder, GradientsOfEveryEntryHaveAPlace) {
  Fixture f;
  for (const double ratio : {0.07, 0.4, 0.93}) {
    WindowedWeights windows(f.store, f.team, layers_of(f.store), {GetParam(), ratio, 5});
    for (std::uint64_t turn = 0; turn < 40; ++turn) {
      windows.begin_turn(turn);
      for (const Parameter& p : windows.parameters()) {
        if (!p.window) continue;
        for (std::int64_t i = 0; i < p.count; ++i) {
          const std::int64_t entry = p.window->entry(i), at = p.window->gradient_of(entry);
          ASSERT_TRUE(at >= 0 && at < p.gradient_count()) << p.name << " turn " << turn;
          if (!p.rows.empty()) {
            ASSERT_EQ(p.rows[static_cast<std::size_t>(at / p.cols)], entry / p.cols);
          }
        }
      }
    }
  }
}

TEST_P(EveryOrder, SameBitsForEveryNumberOfThreadsAndAfterResume) {
  for (const auto& [type, has_master] :
       {std::pair(WeightType::f32, false), {WeightType::bf16, false}, {WeightType::bf16, true}}) {
    const FirstOrderConfig config{.update = has_master ? "master" : "stochastic"};
    Fixture one(1, type), three(3, type);
    Tuned a(one, GetParam(), 0.3, config), b(three, GetParam(), 0.3, config);
    for (std::uint64_t stop = 1; stop <= 2 * kEvery; ++stop) {  // on a switch, too
      a.tuner->step(stop - 1, 1e-3, one.all);
      b.tuner->step(stop - 1, 1e-3, three.all);
      const Bits saved = bits_of(a.tuner->state(stop));
      EXPECT_EQ(saved, bits_of(b.tuner->state(stop)));
      Fixture again(2, type), straight(1, type);
      Tuned c(again, GetParam(), 0.3, config), d(straight, GetParam(), 0.3, config);
      ASSERT_TRUE(load(*c.tuner, saved, stop));
      for (std::uint64_t step = stop; step < stop + 4; ++step) c.tuner->step(step, 1e-3, again.all);
      for (std::uint64_t step = 0; step < stop + 4; ++step) d.tuner->step(step, 1e-3, straight.all);
      EXPECT_EQ(bits_of(c.tuner->state(stop + 4)), bits_of(d.tuner->state(stop + 4))) << "resumed after " << stop;
    }
  }
}

TEST_P(EveryOrder, TheWholeRatioIsPlainAdamW) {
  Fixture f, plain;
  Tuned tuned(f, GetParam(), 1);
  FirstOrderTuner whole(std::make_unique<WholeWeights>(plain.store, plain.team, layers_of(plain.store)), plain.team,
                        plain.loss.get(), usual, FirstOrderRun());
  for (std::uint64_t step = 0; step < kEvery; ++step) {
    tuned.tuner->step(step, 1e-3, f.all);
    whole.step(step, 1e-3, plain.all);
  }
  EXPECT_EQ(f.weights(), plain.weights());
}

TEST(WindowedWeights, ScatterHasAnOrderOfItsOwnForEachTensor) {
  Fixture f;
  WindowedWeights windows(f.store, f.team, layers_of(f.store), {WindowOptions::Order::scatter, 0.1, 5});
  std::map<std::int64_t, std::vector<std::int64_t>> by_size;
  int equal_sizes = 0;
  for (const Parameter& p : windows.parameters()) {
    if (!p.window) continue;
    std::vector<std::int64_t> entries;
    for (std::int64_t i = 0; i < p.count; ++i) entries.push_back(p.window->entry(i));
    const auto [at, is_new] = by_size.emplace(p.window->size, entries);
    if (!is_new) {
      ++equal_sizes;
      EXPECT_NE(at->second, entries) << p.name << ": the reference shares one mask among tensors of a shape";
    }
  }
  EXPECT_GT(equal_sizes, 3);
}

}  // namespace
}  // namespace frugal
