// First-order tuning on a small model: what every method must hold, whatever it trains.
#include <gtest/gtest.h>

#include <cmath>

#include "frugal/core/kernels/optimizers.h"
#include "frugal/formats/tests/small_model.h"
#include "frugal/train/first_order/tests/small_tuning.h"

namespace frugal {
namespace {

using namespace first_order_tests;

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
  ASSERT_TRUE(load(*c, bits_of(a->state(4)), 4));
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
  const std::string method = GetParam(), what = method.ends_with("ora") ? method + " without dropout" : method;
  Fixture whole, parts;
  FirstOrderConfig plain, in_parts;
  plain.optimizer = in_parts.optimizer = "sgd";
  in_parts.max_grad_norm = 1e9;
  in_parts.step.accumulation = 3;
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
INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, testing::Values("full", "lora", "dora", "rows", "columns"));

TEST(FirstOrder, PairsAndRowsLeaveTheBaseAlone) {
  for (const char* what : {"lora", "dora", "rows", "columns"}) {
    Fixture f;
    const Bits before = f.weights();
    auto tuner = f.tuner(what);
    for (std::uint64_t step = 0; step < 3; ++step) tuner->step(step, 1e-2, f.all);
    EXPECT_EQ(f.weights(), before) << what;
  }
}

// The merged rows are the model that was trained: the same loss from a plain view of them.
TEST(FirstOrder, MergedWeightsGiveTheSameLoss) {
  for (const char* what : {"lora", "dora", "rows", "columns"}) {
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

// An adapter holds all that was trained: laid over the base it is the tuned model, bit for bit, and a start to go on
// from.
TEST(FirstOrder, AdaptersOfRowsComeBack) {
  for (const char* what : {"rows", "columns"}) {
    Fixture f;
    auto tuner = f.tuner(what);
    for (std::uint64_t step = 0; step < 3; ++step) tuner->step(step, 1e-2, f.all);
    SelectedRows again(f.store, *tuner->rows_adapter());
    for (std::size_t id = 0; id < f.store.size(); ++id) {
      const auto n = static_cast<std::size_t>(f.store.elements(id));
      std::vector<float> a(n), b(n);
      tuner->merged_rows(id, 0, f.store.spec(id).rows, a.data());
      again.merged_rows(id, 0, f.store.spec(id).rows, b.data());
      EXPECT_EQ(a, b) << what << " " << f.store.spec(id).name;
    }
    const Bits trained = bits_of(again.state());
    EXPECT_EQ(trained, bits_of(tuner->result()));
    again.restart();
    EXPECT_EQ(bits_of(again.state()), trained) << "back to the adapter's values";
  }
}

// A file may hold rows of any matrix; those of an embedding, whose gradient is made whole, are refused.
TEST(FirstOrder, RowsOfNoLinearOfALayerAreRefused) {
  Fixture f;
  const formats_tests::TemporaryFolder folder;
  const auto cols = static_cast<std::size_t>(f.store.shape().hidden);
  RowsAdapter made;
  made.parts.push_back({"model.embed_tokens.weight", false, {1}, std::vector<float>(cols, 0.5f)});
  write_rows_adapter(made, f.store.shape(), folder / "rows.safetensors");
  const RowsAdapter read = read_rows_adapter(folder / "rows.safetensors", f.store.shape());
  EXPECT_TRUE(formats_tests::error_of([&] {
                SelectedRows(f.store, read);
              }).starts_with("model.embed_tokens.weight has trained rows"));
  std::vector<std::vector<std::int32_t>> vectors(f.store.size());
  for (std::size_t id = 0; id < f.store.size(); ++id) {
    if (f.store.spec(id).name == "model.layers.0.input_layernorm.weight") vectors[id] = {0};
  }
  EXPECT_TRUE(formats_tests::error_of([&] {
                SelectedRows(f.store, vectors);
              }).starts_with("model.layers.0.input_layernorm.weight has trained rows"));
}

TEST(FirstOrder, PairsHaveARankAndTargetsAreNamedByTheirEnds) {
  Fixture f;
  LowRankConfig pairs;
  pairs.rank = 0;
  EXPECT_EQ(formats_tests::error_of([&] { LowRankPairs(f.store, pairs); }), "--rank is 0, expected at least 1");
  pairs.rank = 2;
  for (const char* target : {"up_proj", "mlp.up_proj", "up_proj.weight", "model.layers.0.mlp.up_proj.weight"}) {
    pairs.targets = {target};
    EXPECT_EQ(LowRankPairs(f.store, pairs).parameters()[0].name, "model.layers.0.mlp.up_proj.lora_A.weight") << target;
  }
}

// A pair that begins with b = 0 and magnitudes that are the rows' lengths changes nothing (104 terms of a few nats).
TEST(FirstOrder, FreshPairsAreTheBase) {
  for (const char* what : {"lora", "dora"}) {
    Fixture f;
    auto tuner = f.tuner(what);
    EXPECT_NEAR(f.loss->loss_sums(tuner->view(), f.all)[0], f.loss->loss_sums(BaseView(f.store), f.all)[0], 1e-4);
  }
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
