// Large layers whose feed-forward is made in blocks compute what whole ones do.
#include <gtest/gtest.h>

#include <cmath>

#include "frugal/formats/tests/small_model.h"
#include "frugal/nn/blocks/layer_layout.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/zeroth_order/perturbed_view.h"

namespace frugal {
namespace {

// One layer of 1024 x 4352 in fp32: 102 MiB of feed-forward for two branches, in blocks of 1344, 1344, 1344 and 320.
ModelShape large_shape() {
  ModelShape shape = formats_tests::small_shape(true);
  shape.hidden = 1024;
  shape.head_dim = 64;
  shape.layers.assign(1, LayerShape{16, 4, 4352});
  return shape;
}

struct Loaded {
  Loaded(std::shared_ptr<const ModelSource> source, int threads)
      : team(threads, single_threaded_torch),
        store(std::move(source), WeightType::f32, team),
        decoder(store.shape(), team, Compute::f32) {}
  std::vector<double> losses(const WeightView& view) {
    PackedBatch batch;
    std::vector<std::int32_t> tokens(70);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * 37 % 250);
    batch.append(tokens);
    std::vector<Pass::Query> queries;
    for (std::int64_t t = 0; t < 69; ++t) queries.push_back({t, tokens[static_cast<std::size_t>(t + 1)]});
    return decoder.forward(view, batch)->log_probabilities(queries);
  }
  Threads team;
  WeightStore store;
  Decoder decoder;
};

TEST(FfnBlocks, GiveWhatWholeLayersDo) {
  const auto model = std::make_shared<formats_tests::SmallModel>(large_shape());
  Loaded blocked(model, 2), whole(model, 2), alone(model, 1);
  const std::vector<kernels::Mask> masks(blocked.store.size());
  const PerturbedView view(blocked.store, {.key = 7, .eps = 0x1p-6f}, masks);
  const LayerLayout at(blocked.store.shape(), blocked.store.shape().layers[0]);
  const FfnBlocks blocks = ffn_blocks(at, DecoderIds(blocked.store.shape()).layers[0], view, sizeof(float), false);
  ASSERT_EQ(blocks.count, 4);
  ASSERT_EQ(blocks.width, 1344);
  const auto found = blocked.losses(view);
  EXPECT_EQ(found, alone.losses(PerturbedView(alone.store, {.key = 7, .eps = 0x1p-6f}, masks))) << "threads";
  const BaseView base(whole.store);  // of one branch, and so not in blocks
  for (int branch = 0; branch < 2; ++branch) {
    for (std::size_t id = 0; id < whole.store.size(); ++id) {
      std::vector<float> other(static_cast<std::size_t>(whole.store.elements(id)));
      auto* weights = reinterpret_cast<float*>(whole.store.bytes(id).data());
      float* const out[] = {branch == 0 ? weights : other.data(), branch == 0 ? other.data() : weights};
      view.rows(id, 0, whole.store.spec(id).rows, out);
    }
    const auto expected = whole.losses(base);
    for (std::size_t i = 0; i < expected.size(); ++i) {  // the sum over 4,352 in four parts: a few roundings of fp32
      EXPECT_NEAR(found[static_cast<std::size_t>(branch) * expected.size() + i], expected[i],
                  1e-4 * std::max(1.0, std::fabs(expected[i])));
    }
  }
}

}  // namespace
}  // namespace frugal
