// Low-rank pairs and magnitudes under the decoder: against merged weights and against differences of the loss.
#include "frugal/nn/blocks/pairs_view.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frugal/base/philox.h"
#include "frugal/nn/blocks/layer_pairs.h"
#include "frugal/nn/tests/backward_model.h"

namespace frugal {
namespace {

using namespace backward_tests;

// Random low-rank pairs beside every linear.
struct Pairs : Gradients {
  explicit Pairs(const WeightStore& store, std::int64_t rank, bool has_magnitudes = false)
      : pairs(store.size()),
        a(store.size()),
        b(store.size()),
        m(store.size()),
        da(store.size()),
        db(store.size()),
        dm(store.size()) {
    PhiloxSequence random(3, Stream::initial);
    const DecoderIdsOf linears(store);
    for (const std::size_t id : linears.ids) {
      a[id].resize(static_cast<std::size_t>(rank * store.spec(id).cols));
      b[id].resize(static_cast<std::size_t>(rank * store.spec(id).rows));
      for (auto* v : {&a[id], &b[id]}) {
        for (float& x : *v) x = static_cast<float>(random.uniform() - 0.5);
      }
      da[id].resize(a[id].size());
      db[id].resize(b[id].size());
      pairs[id] = {rank, 0.5f, a[id].data(), b[id].data()};
      if (!has_magnitudes) continue;
      m[id] = lengths(store, id);
      for (float& x : m[id]) x *= static_cast<float>(0.75 + random.uniform() / 2);
      dm[id].resize(m[id].size());
      pairs[id].magnitude = m[id].data();
    }
  }
  struct DecoderIdsOf {
    explicit DecoderIdsOf(const WeightStore& store) {
      for (std::size_t id = 0; id < store.size(); ++id) {
        if (store.spec(id).name.find("_proj.weight") != std::string::npos) ids.push_back(id);
      }
    }
    std::vector<std::size_t> ids;
  };
  // Of the rows of W + scale b a.
  std::vector<float> lengths(const WeightStore& store, std::size_t id) const {
    const std::int64_t rows = store.spec(id).rows, cols = store.spec(id).cols;
    std::vector<float> w(static_cast<std::size_t>(rows * cols)), found(static_cast<std::size_t>(rows));
    store.read_rows(id, 0, rows, w.data());
    pair_row_norms(w.data(), 0, rows, cols, pairs[id].rank, pairs[id].scale, a[id].data(), b[id].data(), found.data());
    return found;
  }
  std::int64_t lowest_layer() const override { return 0; }
  GradientSum of(std::size_t) override { return {}; }
  PairSum of_low_rank(std::size_t id) override {
    return {da[id].data(), db[id].data(), dm[id].empty() ? nullptr : dm[id].data()};
  }
  std::vector<LowRankPair> pairs;
  std::vector<std::vector<float>> a, b, m, da, db, dm;
};

// The pair's product merged into the weights gives the same loss, and da, db follow from the merged weight's gradient
// dW: da = s b^T dW, db = s dW a^T.
TEST(LowRank, GradientsAreThoseOfTheMergedWeights) {
  SmallDecoder m("biased"), merged("biased");
  Pairs pairs(m.store, 3);
  for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
    auto* w = reinterpret_cast<float*>(merged.store.bytes(id).data());
    const std::int64_t rows = m.store.spec(id).rows, cols = m.store.spec(id).cols;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        for (int r = 0; r < 3; ++r)
          w[i * cols + j] += 0.5f * pairs.b[id][static_cast<std::size_t>(i * 3 + r)] *
                             pairs.a[id][static_cast<std::size_t>(r * cols + j)];
      }
    }
  }
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  AllGradients dense(merged.store);
  const PairsView view(m.store, pairs.pairs);
  const double loss = m.loss_and_gradients(view, batch, false, pairs);
  EXPECT_NEAR(loss, merged.loss_and_gradients(merged.view, batch, false, dense), 1e-5);
  for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
    const std::int64_t rows = m.store.spec(id).rows, cols = m.store.spec(id).cols;
    std::vector<float> da(pairs.a[id].size()), db(pairs.b[id].size());
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        for (int r = 0; r < 3; ++r) {
          const float dw = 0.5f * dense[id][static_cast<std::size_t>(i * cols + j)];
          da[static_cast<std::size_t>(r * cols + j)] += pairs.b[id][static_cast<std::size_t>(i * 3 + r)] * dw;
          db[static_cast<std::size_t>(i * 3 + r)] += pairs.a[id][static_cast<std::size_t>(r * cols + j)] * dw;
        }
      }
    }
    EXPECT_LT(distance(da, pairs.da[id]), 2e-4 * norm(da)) << m.store.spec(id).name;
    EXPECT_LT(distance(db, pairs.db[id]), 2e-4 * norm(db)) << m.store.spec(id).name;
  }
}

// Token by token, as in generation, pairs make the logits of one forward; DoRA's goes the long way.
TEST(LowRank, FewTokensGiveTheLogitsOfOneForward) {
  for (const bool has_magnitudes : {false, true}) {
    SmallDecoder m("biased");
    Pairs pairs(m.store, 3, has_magnitudes);
    const PairsView view(m.store, pairs.pairs);
    EXPECT_EQ(view.takes_few_tokens(), !has_magnitudes);
    const std::vector<std::int32_t>& ids = m.sequences.front();
    PackedBatch all;
    all.append(ids);
    const auto expected = m.decoder.forward(view, all)->logits(all.size() - 1),
               plain = m.decoder.forward(m.view, all)->logits(all.size() - 1);
    KvCache cache(m.store.shape(), static_cast<std::int64_t>(ids.size()), Compute::f32);
    std::vector<float> logits;
    for (const std::int32_t id : ids) {
      PackedBatch one;
      one.append(std::vector<std::int32_t>{id});
      logits = m.decoder.forward(view, one, cache)->logits(0);
    }
    double of_pairs = 0;
    for (std::size_t v = 0; v < logits.size(); ++v) {
      EXPECT_NEAR(logits[v], expected[v], 1e-4) << has_magnitudes;
      of_pairs += std::abs(expected[v] - plain[v]);
    }
    EXPECT_GT(of_pairs, 0.1);
  }
}

// Central differences along a random change of every factor, with dropout: the mask is the same in both directions and
// passes.
TEST(LowRank, GradientWithDropoutIsTheSlopeOfTheLoss) {
  SmallDecoder m("tied");
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  for (const bool keeps : {false, true}) {
    Pairs pairs(m.store, 2);
    PairsView view(m.store, pairs.pairs);
    view.set_dropout(0.3, 77);
    const double loss = m.loss_and_gradients(view, batch, keeps, pairs);
    PairsView plain(m.store, pairs.pairs);
    Pairs ignored(m.store, 2);
    EXPECT_GT(std::abs(loss - m.loss_and_gradients(plain, batch, keeps, ignored)), 1e-4);
    PhiloxSequence random(5, Stream::initial);
    double slope = 0;
    std::vector<std::pair<float*, float>> change;
    for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
      for (auto [values, gradient] : {std::pair{&pairs.a[id], &pairs.da[id]}, {&pairs.b[id], &pairs.db[id]}}) {
        for (std::size_t i = 0; i < values->size(); ++i) {
          const auto z = static_cast<float>(random.uniform() - 0.5);
          slope += static_cast<double>(z) * static_cast<double>((*gradient)[i]);
          change.emplace_back(values->data() + i, z);
        }
      }
    }
    const float h = 1e-3f;  // fp32 losses of about 5: truncation and rounding are both near 1e-3 of the slope
    const auto moved = [&](float by) {
      for (auto& [value, z] : change) *value += by * z;
      const double found = m.loss_and_gradients(view, batch, keeps, ignored);
      for (auto& [value, z] : change) *value -= by * z;
      return found;
    };
    EXPECT_NEAR((moved(h) - moved(-h)) / (2 * static_cast<double>(h)), slope, 0.01 * std::abs(slope) + 2e-3);
  }
}

// DoRA's view is the model whose rows are those of W + scale b a at the magnitudes' lengths.
TEST(Dora, IsTheModelWithItsRowsAtTheMagnitudesLengths) {
  for (const char* name : {"tied", "biased"}) {
    SmallDecoder m(name), merged(name);
    const Pairs pairs(m.store, 3, true);
    for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
      auto* w = reinterpret_cast<float*>(merged.store.bytes(id).data());
      const std::int64_t rows = m.store.spec(id).rows, cols = m.store.spec(id).cols;
      std::vector<float> length(static_cast<std::size_t>(rows));
      pair_row_norms(w, 0, rows, cols, 3, 0.5f, pairs.a[id].data(), pairs.b[id].data(), length.data());
      for (std::int64_t i = 0; i < rows * cols; ++i) {
        const auto row = static_cast<std::size_t>(i / cols);
        w[i] *= pairs.m[id][row] / length[row];
      }
    }
    PackedBatch batch;
    for (const auto& s : m.sequences) batch.append(s);
    AllGradients ignored(merged.store);
    Pairs sums(m.store, 3, true);
    EXPECT_NEAR(m.loss_and_gradients(PairsView(m.store, pairs.pairs), batch, false, sums),
                merged.loss_and_gradients(merged.view, batch, false, ignored), 1e-5);
  }
}

// Central differences along a random change of factors and magnitudes. The lengths of the rows are constants in the
// backward (as in PEFT and section 4.3 of the paper): the moved magnitudes take in what the lengths change by.
TEST(Dora, GradientIsTheSlopeOfTheLossAtFixedLengths) {
  SmallDecoder m("biased");
  PackedBatch batch;
  for (const auto& s : m.sequences) batch.append(s);
  for (const double dropout : {0.0, 0.3}) {
    for (const bool keeps : {false, true}) {
      Pairs pairs(m.store, 2, true);
      PairsView view(m.store, pairs.pairs);
      view.set_dropout(dropout, 77);
      m.loss_and_gradients(view, batch, keeps, pairs);
      const Pairs start = pairs;
      for (const std::string which : {"factors", "magnitudes"}) {
        PhiloxSequence random(5, Stream::initial);
        double slope = 0;
        Pairs z = start, ignored(m.store, 2, true);
        for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
          const auto draw = [&](std::vector<float>& to, const std::vector<float>& gradient, bool moves) {
            for (std::size_t i = 0; i < to.size(); ++i) {
              to[i] = moves ? static_cast<float>(random.uniform() - 0.5) : 0;
              slope += static_cast<double>(to[i]) * static_cast<double>(gradient[i]);
            }
          };
          draw(z.a[id], start.da[id], which == "factors");
          draw(z.b[id], start.db[id], which == "factors");
          draw(z.m[id], start.dm[id], which == "magnitudes");
        }
        const auto moved = [&](float by) {
          for (const std::size_t id : Pairs::DecoderIdsOf(m.store).ids) {
            const auto before = start.lengths(m.store, id);
            for (std::size_t i = 0; i < start.a[id].size(); ++i) pairs.a[id][i] = start.a[id][i] + by * z.a[id][i];
            for (std::size_t i = 0; i < start.b[id].size(); ++i) pairs.b[id][i] = start.b[id][i] + by * z.b[id][i];
            const auto after = pairs.lengths(m.store, id);
            for (std::size_t i = 0; i < after.size(); ++i)
              pairs.m[id][i] = (start.m[id][i] + by * z.m[id][i]) * after[i] / before[i];
          }
          return m.loss_and_gradients(view, batch, keeps, ignored);
        };
        const float h = 1e-3f;  // as above
        EXPECT_NEAR((moved(h) - moved(-h)) / (2 * static_cast<double>(h)), slope, 0.01 * std::abs(slope) + 2e-3)
            << which << ", dropout " << dropout;
        moved(0);
      }
    }
  }
}

// Another part of a step draws another dropout; the same one draws the same.
TEST(LowRank, DropoutIsKeyedByThePartOfTheStep) {
  SmallDecoder m("tied");
  Pairs pairs(m.store, 2);
  PairsView view(m.store, pairs.pairs);
  view.set_dropout(0.3, 77);
  PackedBatch batch;
  batch.append(m.sequences[3]);
  std::vector<float> hidden[3];
  for (const std::uint32_t part : {0u, 1u, 1u}) {
    const auto pass = m.decoder.record(view, batch, {.part = part});
    const Hidden& found = pass->hidden();
    hidden[part == 0 ? 0 : hidden[1].empty() ? 1 : 2].assign(found.at(0), found.at(0) + found.tokens * found.width);
  }
  EXPECT_NE(hidden[0], hidden[1]);
  EXPECT_EQ(hidden[1], hidden[2]);
}

}  // namespace
}  // namespace frugal
