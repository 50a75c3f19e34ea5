// NF4 weights under a decoder and under low-rank pairs: what they are, what they take, that training leaves them alone.
#include <gtest/gtest.h>

#include <cmath>

#include "frugal/formats/nf4.h"
#include "frugal/formats/tests/small_model.h"
#include "frugal/plan/plan.h"
#include "frugal/train/first_order/tuner.h"
#include "frugal/train/objective/tests/small_tuning.h"
#include "frugal/train/parametrisation/low_rank.h"

namespace frugal {
namespace {

using formats_tests::small_shape;
using formats_tests::SmallModel;

// Rows of 64 hold whole blocks; those of the down projection, 96, do not.
struct Fixture : SmallTuning {
  explicit Fixture(WeightType type, int threads = 2)
      : SmallTuning(std::make_shared<SmallModel>(small_shape(false)), {9, 9, 9, 9}, threads, type) {}
};

TEST(Nf4Base, LinearsOfLayersAreWhatTheCodecMakesOfThem) {
  Fixture f(WeightType::nf4), one(WeightType::nf4, 1), bf16(WeightType::bf16);
  EXPECT_EQ(f.sha256(), one.sha256());
  std::size_t quantised = 0;
  for (std::size_t id = 0; id < f.store.size(); ++id) {
    const TensorSpec& spec = f.store.spec(id);
    std::vector<float> expected = formats_tests::whole_tensor(*f.source, id), found(expected.size());
    const auto n = static_cast<std::int64_t>(expected.size());
    const bool is_linear = spec.name.find("_proj.weight") != std::string::npos;
    EXPECT_EQ(f.store.type(id) == WeightType::nf4, is_linear) << spec.name;
    quantised += is_linear;
    if (is_linear) {
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(nf4::code_bytes(n)));
      std::vector<float> scales(static_cast<std::size_t>(nf4::blocks(n)));
      nf4::encode(expected.data(), n, codes.data(), scales.data());
      nf4::decode(codes.data(), scales.data(), 0, n, expected.data());
    } else {
      bf16.store.read_rows(id, 0, spec.rows, expected.data());
    }
    for (std::int64_t begin = 0; begin < spec.rows; begin += 5)
      f.store.read_rows(id, begin, std::min(spec.rows, begin + 5), found.data() + begin * spec.cols);
    EXPECT_EQ(found, expected) << spec.name;
    std::vector<kernels::Bf16> rounded(found.size());
    f.store.read_rows(id, 0, spec.rows, rounded.data());
    std::vector<float> of_rounded(found.size());
    kernels::to_float(rounded.data(), of_rounded.data(), rounded.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(of_rounded[i], found[i], std::abs(found[i]) * 0x1p-8f) << spec.name;
  }
  EXPECT_EQ(quantised, 14u);
}

// The plan's weights are the store's bytes, up to the ends of tensors that fill no block.
TEST(Nf4Base, PlanCountsItsBytes) {
  Fixture f(WeightType::nf4);
  std::uint64_t bytes = 0;
  for (std::size_t id = 0; id < f.store.size(); ++id) bytes += f.store.bytes(id).size();
  PlanRequest request;
  request.shape = f.store.shape();
  request.weights = WeightType::nf4;
  std::uint64_t planned = 0;
  for (const PlanPart& part : plan_forward(request).parts) planned += part.purpose == "weights" ? part.bytes : 0;
  EXPECT_NEAR(static_cast<double>(planned), static_cast<double>(bytes), 64.0 * static_cast<double>(f.store.size()));
}

TEST(Nf4Base, OneTokenAtATimeSeesTheSameWeights) {
  Fixture f(WeightType::nf4);
  const BaseView view(f.store);
  const auto& tokens = f.data[0].tokens;
  PackedBatch whole;
  whole.append(tokens);
  const auto expected = f.decoder.forward(view, whole)->logits(whole.size() - 1);
  KvCache cache(f.store.shape(), 16, Compute::f32);
  std::vector<float> found;
  for (const std::int32_t token : tokens) {
    PackedBatch one;
    one.append(std::vector<std::int32_t>{token});
    found = f.decoder.forward(view, one, cache)->logits(0);
  }
  for (std::size_t v = 0; v < found.size(); ++v) ASSERT_NEAR(found[v], expected[v], 1e-4) << v;
}

// Pairs and magnitudes train over NF4; the base keeps its bits; what is merged is the model that was trained.
TEST(Nf4Base, PairsTrainOverIt) {
  for (const bool dora : {false, true}) {
    Fixture f(WeightType::nf4), merged(WeightType::f32);
    const std::string before = f.sha256();
    LowRankConfig pairs;
    pairs.rank = 2;
    pairs.dora = dora;
    FirstOrderTuner tuner(std::make_unique<LowRankPairs>(f.store, pairs), f.team, f.loss.get(), FirstOrderConfig(),
                          FirstOrderRun());
    const double start = f.loss->loss_sums(tuner.view(), f.all)[0];
    EXPECT_NEAR(start, f.loss->loss_sums(BaseView(f.store), f.all)[0], 1e-3);
    for (std::uint64_t step = 0; step < 40; ++step) EXPECT_FALSE(tuner.step(step, 1e-2, f.all).skipped);
    const double end = f.loss->loss_sums(tuner.view(), f.all)[0];
    EXPECT_LT(end, 0.95 * start);
    EXPECT_EQ(f.sha256(), before);
    for (std::size_t id = 0; id < merged.store.size(); ++id)
      tuner.merged_rows(id, 0, merged.store.spec(id).rows, reinterpret_cast<float*>(merged.store.bytes(id).data()));
    EXPECT_NEAR(merged.loss->loss_sums(BaseView(merged.store), f.all)[0], end, 1e-3);
  }
}

TEST(Nf4Base, WeightsThemselvesAreNotTrainedOnIt) {
  Fixture f(WeightType::nf4);
  const std::string error =
      formats_tests::error_of([&] { WholeWeights(f.store, f.team, std::vector<bool>(f.store.size(), true)); });
  EXPECT_TRUE(error.starts_with("--weights is nf4, but model.layers.0.self_attn.q_proj.weight")) << error;
}

// The weight that cannot be held is named by its place in its tensor, wherever the tile begins.
TEST(Nf4Base, NamesTheTensorOfAWeightItCannotHold) {
  ModelShape shape = small_shape(false);
  shape.layers[1].ffn = 5000;
  auto model = std::make_shared<SmallModel>(shape);
  for (std::size_t id = 0; id < model->tensors().size(); ++id) {
    if (model->tensors()[id].name == "model.layers.1.mlp.up_proj.weight") model->values(id)[4999 * 64 + 6] = INFINITY;
  }
  Threads team(2, single_threaded_torch);
  const std::string error = formats_tests::error_of([&] { WeightStore(model, WeightType::nf4, team); });
  EXPECT_TRUE(error.starts_with("model.layers.1.mlp.up_proj.weight: row 4999, column 6 is inf")) << error;
}

}  // namespace
}  // namespace frugal
