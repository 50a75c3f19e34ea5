// First-order tuning on a small model: what every method must hold, whatever it trains.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/optimizers.h"
#include "frugal/train/first_order/low_rank.h"
#include "frugal/train/first_order/selected_rows.h"
#include "frugal/train/first_order/tuner.h"
#include "frugal/train/objective/sequence_loss.h"

namespace frugal {
namespace {

using Bits = std::vector<std::byte>;

struct Fixture {
  explicit Fixture(int threads = 2, WeightType type = WeightType::f32)
      : team(threads, single_threaded_torch),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied")),
        store(source, type, team),
        decoder(store.shape(), team, Compute::f32) {
    PhiloxSequence random(4, Stream::initial);
    for (int s = 0; s < 6; ++s) {
      Sequence sequence;
      for (int t = 0; t < 6 + 2 * s; ++t) sequence.tokens.push_back(static_cast<std::int32_t>(random.below(61)));
      sequence.is_target.assign(sequence.tokens.size(), 1);
      data.push_back(sequence);
    }
    loss = std::make_unique<SequenceLoss>(decoder, data);
    all.resize(data.size());
    std::iota(all.begin(), all.end(), 0u);
  }
  std::unique_ptr<FirstOrderTuner> tuner(const std::string& what,
                                         const FirstOrderOptions& options = FirstOrderOptions()) {
    std::unique_ptr<Parametrisation> trained;
    if (what == "full") trained = std::make_unique<WholeWeights>(store, team, std::vector<bool>(store.size(), true));
    if (what.starts_with("lora")) {
      trained = std::make_unique<LowRankPairs>(store, LowRankOptions{.rank = 2, .dropout = what == "lora" ? 0.1 : 0});
    }
    if (what == "rows") {
      std::vector<std::vector<std::int32_t>> rows(store.size());
      for (std::size_t id = 0; id < store.size(); ++id) {
        if (store.spec(id).name.ends_with("_proj.weight")) rows[id] = {0, 3, 7};
      }
      trained = std::make_unique<SelectedRows>(store, rows);
    }
    return std::make_unique<FirstOrderTuner>(std::move(trained), decoder, loss.get(), options);
  }
  Bits weights() {
    Bits bits;
    for (std::size_t id = 0; id < store.size(); ++id)
      bits.insert(bits.end(), store.bytes(id).begin(), store.bytes(id).end());
    return bits;
  }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  Decoder decoder;
  std::vector<Sequence> data;
  std::unique_ptr<SequenceLoss> loss;
  std::vector<std::uint32_t> all;
};

Bits bits_of(std::vector<NamedBytes> parts) {
  Bits bits;
  for (const NamedBytes& part : parts) bits.insert(bits.end(), part.bytes.begin(), part.bytes.end());
  return bits;
}

class EveryMethod : public testing::TestWithParam<const char*> {};

TEST_P(EveryMethod, NoStepSizeChangesNothingAndStepsLowerTheLoss) {
  Fixture f;
  auto tuner = f.tuner(GetParam());
  const Bits before = bits_of(tuner->result());
  tuner->step(0, 0, f.all);
  EXPECT_EQ(bits_of(tuner->result()), before);
  tuner->restart();
  const double start = f.loss->loss_sums(tuner->view(), f.all)[0];
  for (std::uint64_t step = 0; step < 20; ++step) EXPECT_FALSE(tuner->step(step, 1e-2, f.all).skipped);
  EXPECT_LT(f.loss->loss_sums(tuner->view(), f.all)[0], 0.9 * start);
}

TEST_P(EveryMethod, SameBitsForEveryNumberOfThreadsAndAfterResume) {
  Fixture one(1), three(3), again(2);
  auto a = one.tuner(GetParam()), b = three.tuner(GetParam()), c = again.tuner(GetParam());
  for (std::uint64_t step = 0; step < 4; ++step) {
    a->step(step, 1e-3, one.all);
    b->step(step, 1e-3, three.all);
  }
  EXPECT_EQ(bits_of(a->state(4)), bits_of(b->state(4)));
  const Bits saved = bits_of(a->state(4));
  std::size_t at = 0;
  for (const NamedBytes& part : c->state(4)) {
    std::memcpy(part.bytes.data(), saved.data() + at, part.bytes.size());
    at += part.bytes.size();
  }
  ASSERT_EQ(at, saved.size());
  for (std::uint64_t step = 4; step < 7; ++step) {
    a->step(step, 1e-3, one.all);
    c->step(step, 1e-3, again.all);
  }
  EXPECT_EQ(bits_of(a->state(7)), bits_of(c->state(7)));
}

// A batch in parts, and one clipped to a norm it does not reach, step as the whole batch does, up to the order of fp32
// sums.
TEST_P(EveryMethod, AccumulationIsTheBigBatch) {
  // Dropout draws by a token's place in its forward, so pairs go without it here.
  const std::string what = std::string(GetParam()) == "lora" ? "lora without dropout" : GetParam();
  Fixture whole, parts;
  FirstOrderOptions plain, in_parts;
  plain.optimizer.name = in_parts.optimizer.name = "sgd";
  in_parts.clip_norm = 1e9;
  in_parts.accumulation = 3;
  auto a = whole.tuner(what, plain), b = parts.tuner(what, in_parts);
  const auto first = a->step(0, 1e-2, whole.all), second = b->step(0, 1e-2, parts.all);
  EXPECT_NEAR(first.loss, second.loss, 1e-6);
  EXPECT_NEAR(first.details["gradient_norm"].get<double>(), second.details["gradient_norm"].get<double>(), 1e-4);
  const auto x = a->result(), y = b->result();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto *p = reinterpret_cast<const float*>(x[i].bytes.data()),
               *q = reinterpret_cast<const float*>(y[i].bytes.data());
    for (std::size_t j = 0; j < x[i].bytes.size() / 4; ++j) ASSERT_NEAR(p[j], q[j], 1e-5) << x[i].name;
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, testing::Values("full", "lora", "rows"));

TEST(FirstOrder, PairsAndRowsLeaveTheBaseAlone) {
  for (const char* what : {"lora", "rows"}) {
    Fixture f;
    const Bits before = f.weights();
    auto tuner = f.tuner(what);
    for (std::uint64_t step = 0; step < 3; ++step) tuner->step(step, 1e-2, f.all);
    EXPECT_EQ(f.weights(), before) << what;
  }
}

// The merged rows are the model that was trained: the same loss from a plain view of them.
TEST(FirstOrder, MergedWeightsGiveTheSameLoss) {
  for (const char* what : {"lora", "rows"}) {
    Fixture f, merged;
    auto tuner = f.tuner(what);
    for (std::uint64_t step = 0; step < 5; ++step) tuner->step(step, 1e-2, f.all);
    for (std::size_t id = 0; id < merged.store.size(); ++id) {
      tuner->merged_rows(id, 0, merged.store.spec(id).rows, reinterpret_cast<float*>(merged.store.bytes(id).data()));
    }
    EXPECT_NEAR(merged.loss->loss_sums(BaseView(merged.store), f.all)[0], f.loss->loss_sums(tuner->view(), f.all)[0],
                1e-3)
        << what;
  }
}

// A pair that begins with b = 0 changes nothing.
TEST(FirstOrder, FreshPairsAreTheBase) {
  Fixture f;
  auto tuner = f.tuner("lora");
  EXPECT_NEAR(f.loss->loss_sums(tuner->view(), f.all)[0], f.loss->loss_sums(BaseView(f.store), f.all)[0], 1e-5);
}

// AdamW by its definition in double, ten steps of one weight.
TEST(AdamW, FollowsItsDefinition) {
  float w = 0.5f, m = 0, v = 0;
  double x = 0.5, first = 0, second = 0;
  for (int t = 1; t <= 10; ++t) {
    const auto g = static_cast<float>(std::sin(t));
    const kernels::AdamW step{
        .lr = 0.01f, .weight_decay = 0.1f, .correction1 = 1 - std::pow(0.9, t), .correction2 = 1 - std::pow(0.999, t)};
    kernels::adamw(&w, &g, &m, &v, 1, step);
    first = 0.9 * first + 0.1 * g;
    second = 0.999 * second + 0.001 * g * g;
    x = x * (1 - 0.01 * 0.1) -
        0.01 * first / (1 - std::pow(0.9, t)) / (std::sqrt(second / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(w, x, 1e-6) << t;
  }
}

}  // namespace
}  // namespace frugal
