// Scores against a straight reference on a small model, and planted rows that the right scores must find.
#include "frugal/tune/spruft/torch/row_scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "frugal/formats/nf4.h"
#include "frugal/nn/model/tensor_ids.h"
#include "frugal/train/first_order/tests/small_tuning.h"
#include "frugal/tune/spruft/aggregate.h"
#include "frugal/tune/spruft/selection.h"

namespace frugal {
namespace {

using namespace first_order_tests;
using Scores = std::vector<std::vector<double>>;

std::vector<std::size_t> linears_of(const WeightStore& store) {
  std::vector<std::size_t> ids;
  for (std::size_t id = 0; id < store.size(); ++id) {
    if (is_target(store.spec(id), {})) ids.push_back(id);
  }
  return ids;
}

// Dense gradients of the mean loss of some examples, by tensor.
std::vector<std::vector<float>> gradients_of(Fixture& f, Objective& loss, const std::vector<std::uint32_t>& examples) {
  const WholeWeights whole(f.store, f.team, std::vector<bool>(f.store.size(), true));
  std::vector<std::size_t> all(whole.parameters().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  GradientBuffers sums(whole.parameters(), all, f.store.size(), 2, false);
  sums.zero();
  loss.loss_and_gradients(BaseView(f.store), examples, 1 / loss.terms(examples), false, sums);
  std::vector<std::vector<float>> found(f.store.size());
  for (std::size_t id = 0; id < f.store.size(); ++id)
    found[id].assign(sums.of(id).sum, sums.of(id).sum + f.store.elements(id));
  return found;
}

// of(linear's place, entry) summed over rows, or over columns.
template <class Of>
Scores summed(const Fixture& f, bool is_columns, const Of& of) {
  Scores scores;
  for (const std::size_t id : linears_of(f.store)) {
    const std::int64_t rows = f.store.spec(id).rows, cols = f.store.spec(id).cols;
    auto& own = scores.emplace_back(static_cast<std::size_t>(is_columns ? cols : rows), 0.0);
    for (std::int64_t i = 0; i < rows * cols; ++i)
      own[static_cast<std::size_t>(is_columns ? i % cols : i / cols)] += of(id, static_cast<std::size_t>(i));
  }
  return scores;
}

void expect_near(const Scores& found, const Scores& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t l = 0; l < found.size(); ++l) {
    ASSERT_EQ(found[l].size(), expected[l].size()) << what;
    for (std::size_t r = 0; r < found[l].size(); ++r)  // fp32 sums in another order
      ASSERT_NEAR(found[l][r], expected[l][r], 1e-4 * expected[l][r] + 1e-12) << what << " " << l << " " << r;
  }
}

Scores scores_of(Fixture& f, SpruftConfig config, std::int64_t batch, Objective* objective = nullptr) {
  return row_scores(config, batch, 3, f.store, f.team, objective == nullptr ? *f.loss : *objective,
                    linears_of(f.store));
}

TEST(SpruftScores, AgreeWithAStraightReference) {
  for (const char* axis : {"out", "in"}) {
    Fixture f;
    const bool is_columns = std::string(axis) == "in";
    SpruftConfig config;
    config.axis = axis;
    config.score = "magnitude";
    const auto w = [&](std::size_t id, std::size_t i) { return static_cast<double>(f.store.f32(id)[i]); };
    expect_near(scores_of(f, config, 6),
                summed(f, is_columns, [&](std::size_t id, std::size_t i) { return w(id, i) * w(id, i); }), "magnitude");
    config.score = "taylor";
    config.score_batches = 1;
    const auto dense = gradients_of(f, *f.loss, f.all);
    const Scores taylor = summed(f, is_columns, [&](std::size_t id, std::size_t i) {
      return std::abs(w(id, i) * static_cast<double>(dense[id][i]));
    });
    expect_near(scores_of(f, config, 6), taylor, "taylor");
    config.score_layers = 1;
    expect_near(scores_of(f, config, 6), taylor, "taylor, a layer at a time");
    // The true mean over samples; in the reference only the last one survives.
    config.score = "fisher";
    config.score_batches = 6;
    std::vector<std::vector<std::vector<float>>> each;
    for (const std::uint32_t example : f.all) each.push_back(gradients_of(f, *f.loss, {example}));
    expect_near(scores_of(f, config, 1),
                summed(f, is_columns,
                       [&](std::size_t id, std::size_t i) {
                         double mean = 0;
                         for (const auto& g : each) mean += std::pow(static_cast<double>(g[id][i]), 2) / 6;
                         return w(id, i) * w(id, i) * mean;
                       }),
                "fisher");
  }
}

// What q reads is the normed embedding; what o reads is on a kept tape.
TEST(SpruftScores, WandaWeighsByTheSizeOfInputs) {
  Fixture f;
  SpruftConfig config;
  config.score = "wanda";
  config.score_batches = 2;
  const Scores found = scores_of(f, config, 3);
  PackedBatch batch;
  for (const Sequence& s : f.data) batch.append(s.tokens);
  const BaseView view(f.store);
  const auto pass = f.decoder.record(view, batch, {.keeps = true});
  const DecoderIds ids(f.store.shape());
  const std::int64_t C = f.store.shape().hidden, N = batch.size();
  std::vector<double> q_inputs(static_cast<std::size_t>(C)), o_inputs(32);
  for (std::int64_t t = 0; t < N; ++t) {
    const float* h = f.store.f32(ids.embedding) + batch.tokens[static_cast<std::size_t>(t)] * C;
    double squares = 0;
    for (std::int64_t j = 0; j < C; ++j) squares += static_cast<double>(h[j]) * static_cast<double>(h[j]);
    const double size = std::sqrt(squares / static_cast<double>(C) + f.store.shape().norm_eps);
    for (std::int64_t j = 0; j < C; ++j) {
      const double x = static_cast<double>(h[j]) / size * static_cast<double>(f.store.f32(ids.layers[0].input_norm)[j]);
      q_inputs[static_cast<std::size_t>(j)] += x * x / static_cast<double>(N);
    }
    for (std::size_t j = 0; j < o_inputs.size(); ++j) {
      const double x =
          static_cast<double>(pass->tape().at(1).attended.as<float>()[static_cast<std::size_t>(t) * 32 + j]);
      o_inputs[j] += x * x / static_cast<double>(N);
    }
  }
  const auto linears = linears_of(f.store);
  const auto compare = [&](std::size_t id, const std::vector<double>& inputs) {
    const auto place = static_cast<std::size_t>(std::find(linears.begin(), linears.end(), id) - linears.begin());
    for (std::int64_t row = 0; row < f.store.spec(id).rows; ++row) {
      double sum = 0;
      for (std::size_t j = 0; j < inputs.size(); ++j)
        sum += std::abs(static_cast<double>(f.store.f32(id)[static_cast<std::size_t>(row) * inputs.size() + j])) *
               std::sqrt(inputs[j]);
      ASSERT_NEAR(found[place][static_cast<std::size_t>(row)], sum, 1e-4 * sum) << f.store.spec(id).name << row;
    }
  };
  compare(ids.layers[0][kQ].weight, q_inputs);
  compare(ids.layers[1][kO].weight, o_inputs);
}

// Rows of 24 numbers: blocks of 64 run over them.
TEST(SpruftScores, QuantErrorIsWhatNf4Loses) {
  Fixture f;
  SpruftConfig config;
  config.score = "quant-error";
  std::vector<std::vector<float>> lost(f.store.size());
  for (const std::size_t id : linears_of(f.store)) {
    const std::int64_t n = f.store.elements(id);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(nf4::code_bytes(n)));
    std::vector<float> scales(static_cast<std::size_t>(nf4::blocks(n)));
    lost[id].resize(static_cast<std::size_t>(n));
    nf4::encode(f.store.f32(id), n, codes.data(), scales.data());
    nf4::decode(codes.data(), scales.data(), 0, n, lost[id].data());
    for (std::size_t i = 0; i < lost[id].size(); ++i) lost[id][i] -= f.store.f32(id)[i];
  }
  Scores expected = summed(f, false, [&](std::size_t id, std::size_t i) {
    return static_cast<double>(lost[id][i]) * static_cast<double>(lost[id][i]);
  });
  for (auto& own : expected) {
    for (double& score : own) score = std::sqrt(score);
  }
  expect_near(scores_of(f, config, 6), expected, "quant-error");
}

struct Labelled : SequenceLoss {
  using SequenceLoss::SequenceLoss;
  std::vector<std::int32_t> classes() const override { return {0, 1, 2, 0, 1, 2}; }
};

TEST(SpruftScores, QmTaylorAggregatesOverLabels) {
  Fixture f;
  Labelled labelled(f.decoder, f.data);
  std::vector<std::vector<std::vector<float>>> each;
  for (const std::uint32_t label : {0u, 1u, 2u}) each.push_back(gradients_of(f, labelled, {label, label + 3}));
  for (const char* method : {"max", "mean", "quantile-mean", "upper-quantile-mean", "top5", "top5-and-mean"}) {
    SpruftConfig config;
    config.score = "qm-taylor";
    config.aggregate = method;
    config.score_batches = 3;
    Scores expected;
    for (const auto& g : each) {
      const Scores of_label = summed(f, false, [&](std::size_t id, std::size_t i) {
        return std::abs(static_cast<double>(f.store.f32(id)[i]) * static_cast<double>(g[id][i]));
      });
      if (expected.empty()) expected = of_label;
      for (std::size_t l = 0; l < of_label.size() && &g != &each[0]; ++l)
        expected[l].insert(expected[l].end(), of_label[l].begin(), of_label[l].end());
    }
    for (auto& own : expected) {  // [label][row] to one score a row
      const std::size_t rows = own.size() / 3;
      for (std::size_t r = 0; r < rows; ++r) own[r] = aggregate(method, {own[r], own[rows + r], own[2 * rows + r]});
      own.resize(rows);
    }
    expect_near(scores_of(f, config, 2, &labelled), expected, method);
  }
  SpruftConfig config;
  config.score = "qm-taylor";
  EXPECT_THROW(scores_of(f, config, 2), Error) << "data without labels";
}

// A linear regression on one matrix of the model whose teacher has 8 shifted rows; examples are inputs x.
class Planted : public Objective {
 public:
  Planted(const WeightStore& store, std::size_t id, std::uint64_t seed) : id_(id) {
    const std::int64_t rows = store.spec(id).rows, cols = store.spec(id).cols;
    PhiloxSequence random(seed, Stream::initial);
    const auto normal = [&] {
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += random.uniform();
      return sum;
    };
    shift_.resize(static_cast<std::size_t>(rows * cols));
    while (planted.size() < 8) {
      const auto row = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(rows)));
      if (std::find(planted.begin(), planted.end(), row) != planted.end()) continue;
      planted.push_back(row);
      for (std::int64_t j = 0; j < cols; ++j) shift_[static_cast<std::size_t>(row * cols + j)] = 0.05 * normal();
    }
    for (std::int64_t i = 0; i < kExamples * cols; ++i) x_.push_back(normal());
    for (std::int64_t i = 0; i < kExamples * rows; ++i) noise_.push_back(0.01 * normal());
    std::sort(planted.begin(), planted.end());
  }
  std::vector<std::int32_t> planted;

  std::size_t size() const override { return kExamples; }
  std::vector<std::int32_t> classes() const override { return std::vector<std::int32_t>(kExamples, 0); }
  double terms(Indices examples) const override { return static_cast<double>(examples.size()); }
  std::size_t forwards(Indices) const override { return 1; }
  std::vector<double> loss_sums(const WeightView& view, Indices) override {
    return std::vector<double>(static_cast<std::size_t>(view.branches()), 0);
  }
  std::vector<double> error_sums(const WeightView&, Indices) override { return {0}; }
  // The student is the base, so the residual is -shift x - noise.
  double loss_and_gradients(const WeightView& view, Indices examples, double scale, bool, Gradients& sums) override {
    const std::int64_t rows = view.store().spec(id_).rows, cols = view.store().spec(id_).cols;
    for (const std::uint32_t e : examples) {
      const double* x = x_.data() + e * cols;
      for (std::int64_t r = 0; r < rows; ++r) {
        double residual = -noise_[static_cast<std::size_t>(e * rows + r)];
        for (std::int64_t j = 0; j < cols; ++j) residual -= shift_[static_cast<std::size_t>(r * cols + j)] * x[j];
        for (std::int64_t j = 0; j < cols; ++j)
          sums.of(id_).sum[r * cols + j] += static_cast<float>(scale * residual * x[j]);
      }
    }
    return 1;
  }
  Json evaluate(const WeightView&, const std::string&) override { return {}; }
  Metric metric() const override { return {"loss", false}; }

 private:
  static constexpr std::int64_t kExamples = 64;
  std::size_t id_;
  std::vector<double> shift_, x_, noise_;
};

// 8 of 40 rows: chance finds 1.6 of them.
TEST(SpruftScores, TaylorFindsPlantedRowsAndMagnitudeDoesNot) {
  Fixture f;
  const std::size_t id = DecoderIds(f.store.shape()).layers[0][kUp].weight;
  double by_magnitude = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Planted task(f.store, id, seed);
    const auto found = [&](const char* score) {
      SpruftConfig config;
      config.rows = 8;
      config.score = score;
      config.score_batches = 4;
      const auto rows = select_rows(config, {"up"}, row_scores(config, 16, seed, f.store, f.team, task, {id}))[0];
      std::vector<std::int32_t> both;
      std::set_intersection(rows.begin(), rows.end(), task.planted.begin(), task.planted.end(),
                            std::back_inserter(both));
      return both.size();
    };
    EXPECT_GE(found("taylor"), 7u) << seed;
    by_magnitude += static_cast<double>(found("magnitude")) / 5;
  }
  EXPECT_LT(by_magnitude, 4) << "1.6 is chance, its standard deviation over five seeds 0.5";
}

// E cos(ghat, g) is about sqrt(n / (n + P + 1)) for ghat = sum c_k z_k / n with exact slopes c_k = g z_k.
TEST(SpruftScores, ZerothOrderGradientsFollowTheCosineLaw) {
  constexpr std::size_t P = 200;
  std::vector<float> g(P), z(P);
  kernels::directions({.key = 77, .eps = 1}, 0, P, g.data());
  for (const int n : {200, 800, 3200}) {
    double mean = 0;
    constexpr int kRepeats = 8;
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      std::vector<double> estimate(P);
      for (int k = 0; k < n; ++k) {
        kernels::directions(
            {.key = philox_key(static_cast<std::uint64_t>(repeat), static_cast<std::uint64_t>(k), 0), .tensor = 3}, 0,
            P, z.data());
        double slope = 0;
        for (std::size_t j = 0; j < P; ++j) slope += static_cast<double>(g[j]) * static_cast<double>(z[j]);
        for (std::size_t j = 0; j < P; ++j) estimate[j] += slope * static_cast<double>(z[j]) / n;
      }
      double dot = 0, a = 0, b = 0;
      for (std::size_t j = 0; j < P; ++j) {
        dot += estimate[j] * static_cast<double>(g[j]);
        a += estimate[j] * estimate[j];
        b += static_cast<double>(g[j]) * static_cast<double>(g[j]);
      }
      mean += dot / std::sqrt(a * b) / kRepeats;
    }
    EXPECT_NEAR(mean, std::sqrt(n / (n + static_cast<double>(P) + 1)), 0.05) << n;
  }
}

}  // namespace
}  // namespace frugal
