// Units that a view switches off are as good as rows and columns that are not there.
#include "frugal/nn/blocks/masked_view.h"

#include <gtest/gtest.h>

#include <random>

#include "frugal/formats/padded_model.h"
#include "frugal/formats/shrunk_model.h"
#include "frugal/nn/tests/backward_model.h"

namespace frugal {
namespace {

using backward_tests::SmallDecoder;

struct Drawn {
  ModelMask mask;
  std::vector<KeptUnits> kept;
};

// Whole key heads, or one query head of every key head, and neurons: other ones in each layer.
Drawn draw(const ModelShape& shape, std::uint64_t seed, bool whole_groups) {
  Drawn drawn;
  std::mt19937_64 random(seed);
  const auto coin = [&] { return random() % 3 == 0; };
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerShape& layer = shape.layers[l];
    UnitMask off;
    KeptUnits kept;
    const std::int64_t group = layer.heads > 0 ? layer.heads / layer.kv_heads : 0;
    const std::int64_t one = group > 1 ? static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(group)) : -1;
    std::vector<bool> is_off(static_cast<std::size_t>(layer.kv_heads));
    for (std::size_t k = 1; k < is_off.size(); ++k) is_off[k] = coin();  // the first key head stays
    for (std::int64_t head = 0; head < layer.heads; ++head) {
      const bool goes = whole_groups ? is_off[static_cast<std::size_t>(head / group)] : head % group == one;
      (goes ? off.heads : kept.heads).push_back(static_cast<std::int32_t>(head));
    }
    for (std::int64_t neuron = 0; neuron < layer.ffn; ++neuron) {
      (neuron > 0 && coin() ? off.neurons : kept.neurons).push_back(static_cast<std::int32_t>(neuron));
    }
    drawn.mask.push_back(off);
    drawn.kept.push_back(kept);
  }
  return drawn;
}

std::vector<float> logits_of(SmallDecoder& m, const WeightView& view, Decoder& decoder) {
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  return decoder.forward(view, batch)->logits(rows);
}

class Masked : public testing::TestWithParam<const char*> {};

TEST_P(Masked, IsAsGoodAsShrunk) {
  SmallDecoder m(GetParam());
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Drawn drawn = draw(m.store.shape(), seed, seed % 2 == 0);
    const std::vector<ModelMask> masks = {drawn.mask};
    const std::vector<float> masked = logits_of(m, MaskedView(m.store, masks), m.decoder);
    const std::shared_ptr<const ModelSource> source = open_shrunk(m.source, drawn.kept);
    EXPECT_LT(parameter_count(source->shape()), parameter_count(m.source->shape()));
    const WeightStore store(source, WeightType::f32, m.team);
    Decoder decoder(store.shape(), m.team, Compute::f32);
    const std::vector<float> shrunk = logits_of(m, BaseView(store), decoder);
    double most = 0;
    for (std::size_t i = 0; i < masked.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(masked[i]) - static_cast<double>(shrunk[i])));
    EXPECT_LT(most, 1e-4) << "seed " << seed;
  }
}

// Layers in two passes are as good as in one, and every branch starts from what the first one left.
TEST_P(Masked, LayersGoOnWhereAnotherPassEnded) {
  SmallDecoder m(GetParam());
  std::vector<ModelMask> masks = {draw(m.store.shape(), 1, true).mask, draw(m.store.shape(), 2, true).mask};
  for (ModelMask& mask : masks) mask[0] = {};
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  std::vector<Pass::Query> queries;
  for (std::int64_t row = 0; row < batch.size(); ++row) queries.push_back({row, static_cast<std::int32_t>(row % 7)});
  const MaskedView view(m.store, masks);
  const std::vector<double> whole = m.decoder.forward(view, batch)->log_probabilities(queries);
  const auto prefix = m.decoder.forward(m.view, batch, {}, {0, 1});
  const LayerRange rest{.first = 1, .hidden = prefix->hidden().at(0)};
  const std::vector<double> found = m.decoder.forward(view, batch, {}, rest)->log_probabilities(queries);
  ASSERT_EQ(found.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(found[i], whole[i], 1e-5);
}

// Zeros up to the largest layer change nothing.
TEST_P(Masked, PaddedComputesTheSame) {
  SmallDecoder m(GetParam());
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const std::shared_ptr<const ModelSource> small = open_shrunk(m.source, draw(m.store.shape(), seed, true).kept);
    const std::shared_ptr<const ModelSource> padded = open_padded(small);
    EXPECT_TRUE(padded->shape().is_uniform());
    const WeightStore store(small, WeightType::f32, m.team), larger(padded, WeightType::f32, m.team);
    Decoder decoder(store.shape(), m.team, Compute::f32), own(larger.shape(), m.team, Compute::f32);
    const std::vector<float> before = logits_of(m, BaseView(store), decoder),
                             after = logits_of(m, BaseView(larger), own);
    double most = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(before[i]) - static_cast<double>(after[i])));
    EXPECT_LT(most, 1e-5) << "seed " << seed;
  }
}

// Fewer words: the logits of those that stay are what they were, to the bit.
TEST_P(Masked, WordsThatStayKeepTheirLogits) {
  SmallDecoder m(GetParam());
  SmallerVocabulary few;
  const std::int64_t all = m.store.shape().vocab;
  std::vector<bool> is_used(static_cast<std::size_t>(all));
  for (const auto& sequence : m.sequences) {
    for (const std::int32_t token : sequence) is_used[static_cast<std::size_t>(token)] = true;
  }
  for (std::int32_t token = 0; token < all; ++token) {
    if (is_used[static_cast<std::size_t>(token)] || token % 3 == 0) few.kept.push_back(token);
  }
  ASSERT_LT(few.kept.size(), static_cast<std::size_t>(all));
  few.tokenizer.tokens.resize(few.kept.size());
  const std::vector<float> before = logits_of(m, m.view, m.decoder);
  const std::shared_ptr<const ModelSource> source = with_vocabulary(m.source, few);
  const WeightStore store(source, WeightType::f32, m.team);
  Decoder decoder(store.shape(), m.team, Compute::f32);
  for (auto& sequence : m.sequences) {
    for (std::int32_t& token : sequence) token = few.id_of(token);
  }
  const std::vector<float> after = logits_of(m, BaseView(store), decoder);
  const std::size_t own = few.kept.size(), rows = after.size() / own;
  ASSERT_EQ(rows * static_cast<std::size_t>(all), before.size());
  std::size_t other = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < own; ++j)
      other += after[r * own + j] != before[r * static_cast<std::size_t>(all) + static_cast<std::size_t>(few.kept[j])];
  }
  EXPECT_EQ(other, 0u);
}

// Several masks go through one forward, and each gives what it gives alone.
TEST_P(Masked, BranchesDoNotTouchEachOther) {
  SmallDecoder m(GetParam());
  std::vector<ModelMask> masks;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) masks.push_back(draw(m.store.shape(), seed, true).mask);
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  std::vector<Pass::Query> queries;
  for (const Segment& s : batch.segments) {
    for (std::int64_t t = 0; t + 1 < s.length; ++t)
      queries.push_back({s.begin + t, batch.tokens[static_cast<std::size_t>(s.begin + t) + 1]});
  }
  const MaskedView all(m.store, masks);
  const std::vector<double> together = m.decoder.forward(all, batch)->log_probabilities(queries);
  for (std::size_t b = 0; b < masks.size(); ++b) {
    const std::vector<ModelMask> own = {masks[b]};
    const std::vector<double> alone = m.decoder.forward(MaskedView(m.store, own), batch)->log_probabilities(queries);
    for (std::size_t i = 0; i < alone.size(); ++i)
      EXPECT_NEAR(alone[i], together[b * alone.size() + i], 1e-6) << b << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Masked, testing::Values("tied", "biased", "llama3"));

}  // namespace
}  // namespace frugal
