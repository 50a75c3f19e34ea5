// What holds for every method of tune, whichever they are: a method that is a folder gets these tests with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/train/objective/tests/small_tuning.h"
#include "frugal/train/tuner_registry.h"
#include "frugal/tune/registry.h"

namespace frugal {
namespace {

using Bits = std::vector<std::byte>;

Bits bits_of(const std::vector<NamedBytes>& parts) {
  Bits bits;
  for (const NamedBytes& part : parts) bits.insert(bits.end(), part.bytes.begin(), part.bytes.end());
  return bits;
}

// A method over the small model, with its own defaults but for `more`.
struct Tuned : SmallTuning {
  Tuned(const std::string& method, const Json& more = Json::object(), int threads = 2,
        WeightType type = WeightType::f32)
      : SmallTuning(golden_model(), {6, 8, 10, 12, 14, 16}, threads, type) {
    settings = {{"method", method}, {"seed", 5}, {"batch", 6}, {"steps", 6}, {"weights", "f32"}};
    for (const FieldInfo& info : methods().at(method).fields) settings[std::string(info.field.name)] = info.initial;
    settings.update(more);
    methods().at(method).validate(settings);
    TunerRegistry tuners;
    register_tuners(tuners);
    TunerContext context{store, team, loss.get(), chosen, run_settings(settings)};
    tuner = tuners.at(method)(settings, context);
  }
  double step(std::uint64_t index, double lr) { return tuner->step(index, lr, all).loss; }
  double mean_loss() { return loss->loss_sums(tuner->view(), all)[0] / loss->terms(all); }
  Json settings, chosen;
  std::unique_ptr<Tuner> tuner;
};

class EveryMethod : public testing::TestWithParam<std::string> {
 protected:
  // A rate in the middle of those that --lr auto tries.
  static double rate(const Tuned& tuned) {
    const std::vector<double> rates = tuned.tuner->likely_rates();
    return rates[rates.size() / 2];
  }
};

TEST_P(EveryMethod, AStepOfSizeZeroChangesNothing) {
  Tuned tuned(GetParam());
  const Bits before = bits_of(tuned.tuner->result());
  for (std::uint64_t step = 0; step < 3; ++step) tuned.step(step, 0);
  EXPECT_EQ(bits_of(tuned.tuner->result()), before);
}

TEST_P(EveryMethod, ThreadsDoNotChangeTheBits) {
  Tuned one(GetParam(), Json::object(), 1), two(GetParam(), Json::object(), 2);
  for (std::uint64_t step = 0; step < 3; ++step) {
    one.step(step, rate(one));
    two.step(step, rate(two));
  }
  EXPECT_EQ(bits_of(one.tuner->result()), bits_of(two.tuner->result()));
  EXPECT_NE(bits_of(one.tuner->result()), bits_of(Tuned(GetParam()).tuner->result())) << "nothing was trained";
}

TEST_P(EveryMethod, SavedAndRestoredItGoesOnWithTheSameBits) {
  Tuned whole(GetParam()), resumed(GetParam());
  for (std::uint64_t step = 0; step < 2; ++step) whole.step(step, rate(whole));
  const Bits saved = bits_of(whole.tuner->state(2));
  std::size_t at = 0;
  for (const NamedBytes& part : resumed.tuner->state(2)) {
    ASSERT_LE(at + part.bytes.size(), saved.size());
    std::memcpy(part.bytes.data(), saved.data() + at, part.bytes.size());
    at += part.bytes.size();
  }
  EXPECT_EQ(at, saved.size());
  for (std::uint64_t step = 2; step < 4; ++step) {
    whole.step(step, rate(whole));
    resumed.step(step, rate(resumed));
  }
  EXPECT_EQ(bits_of(resumed.tuner->result()), bits_of(whole.tuner->result()));
}

TEST_P(EveryMethod, RestartIsTheStart) {
  Tuned tuned(GetParam());
  const Bits before = bits_of(tuned.tuner->result());
  tuned.step(0, rate(tuned));
  tuned.tuner->restart();
  EXPECT_EQ(bits_of(tuned.tuner->result()), before);
}

// A method with a log of steps repeats them from it, to the bit.
TEST_P(EveryMethod, WhatItRecordsReplays) {
  Tuned run(GetParam()), replayed(GetParam());
  if (run.tuner->record_size() == 0) GTEST_SKIP() << GetParam() << " keeps no log";
  const Bits before = bits_of(run.tuner->result());
  const auto lr = static_cast<double>(static_cast<float>(rate(run)));  // as a log keeps it
  for (std::uint64_t step = 0; step < 3; ++step) {
    const TuningStep taken = run.tuner->step(step, lr, run.all);
    ASSERT_EQ(taken.record.size(), run.tuner->record_size());
    replayed.tuner->replay(step, lr, taken.record);
  }
  EXPECT_EQ(bits_of(replayed.tuner->result()), bits_of(run.tuner->result()));
  EXPECT_NE(bits_of(run.tuner->result()), before);
  Json header = run.tuner->trajectory_header();
  EXPECT_TRUE(header.is_object());
  TunerRegistry tuners;
  register_tuners(tuners);
  EXPECT_TRUE(tuners.replay_of(GetParam())) << "merge cannot replay it";
}

// The parts of a batch sum to the batch.
TEST_P(EveryMethod, PartsOfABatchAreTheBatch) {
  Tuned whole(GetParam()), parts(GetParam(), {{"accumulation", 3}});
  EXPECT_NEAR(whole.step(0, rate(whole)), parts.step(0, rate(parts)), 1e-4);
  EXPECT_NEAR(whole.mean_loss(), parts.mean_loss(), 2e-3);
}

TEST_P(EveryMethod, TheLossFalls) {
  Tuned tuned(GetParam());
  const double before = tuned.mean_loss(), lr = rate(tuned);
  for (std::uint64_t step = 0; step < 40; ++step) tuned.step(step, lr);
  EXPECT_LT(tuned.mean_loss(), before);
}

// Weights that may stay as stored are those that no step changes.
TEST_P(EveryMethod, LeavesTheWeightsItSaysItLeaves) {
  Tuned tuned(GetParam());
  const auto weights = [&] {
    Bits bits;
    for (std::size_t id = 0; id < tuned.store.size(); ++id) {
      const auto bytes = tuned.store.bytes(id);
      bits.insert(bits.end(), bytes.begin(), bytes.end());
    }
    return bits;
  };
  const Bits before = weights();
  for (std::uint64_t step = 0; step < 3; ++step) tuned.step(step, rate(tuned));
  EXPECT_EQ(weights() == before, methods().at(GetParam()).leaves_weights(tuned.settings));
}

// The plan counts each method's own bytes.
TEST_P(EveryMethod, IsPlanned) {
  const MethodInfo& method = methods().at(GetParam());
  PlanRequest request;
  request.shape = golden_model()->shape();
  request.file_bytes = golden_model()->file_bytes();
  Json settings = Tuned(GetParam()).settings;
  const MethodPlan small = method.plan(request, settings);
  request.batch *= 8;
  EXPECT_GT(peak_of(method.plan(request, settings)), 0u);
  EXPECT_GE(peak_of(method.plan(request, settings)), peak_of(small));
  EXPECT_FALSE(method.objectives.empty()) << "its config has no field `objective`, whose choices are what it minimises";
  EXPECT_FALSE(method.source.empty());
}

TEST_P(EveryMethod, ItsFolderSaysWhatItIs) {
  std::string folder = GetParam();
  std::replace(folder.begin(), folder.end(), '-', '_');
  const std::string text = read_file(std::filesystem::path(FRUGAL_SOURCE_DIR) / "frugal/tune" / folder / "README.md");
  for (const char* heading : {"## Source", "## Memory", "## When not to use it", "## In this folder"})
    EXPECT_NE(text.find(heading), std::string::npos) << folder << " has no heading " << heading;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const MethodInfo& method : methods().all()) all.emplace_back(method.name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, testing::ValuesIn(names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace frugal
