// The loss of preferences against its formula, and its gradient against differences of the loss.
#include "frugal/train/objective/dpo_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
#include "frugal/nn/model/decoder.h"
#include "frugal/train/objective/tests/all_gradients.h"

namespace frugal {
namespace {

double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

// As TRL's DPOTrainer.dpo_loss writes it for loss_type "sigmoid".
double trl_loss(double beta, double smoothing, double chosen, double rejected, double ref_chosen, double ref_rejected) {
  const double logits = (chosen - rejected) - (ref_chosen - ref_rejected);
  return -log_sigmoid(beta * logits) * (1 - smoothing) - log_sigmoid(-beta * logits) * smoothing;
}

TEST(DpoTerm, IsTheSigmoidLossAndItsSlope) {
  EXPECT_DOUBLE_EQ(dpo_term(0, 0).loss, std::log(2.0));
  EXPECT_DOUBLE_EQ(dpo_term(0, 0.3).loss, std::log(2.0));
  EXPECT_DOUBLE_EQ(dpo_term(0, 0).slope, -0.5);
  for (const double smoothing : {0.0, 0.1, 0.4}) {
    for (double margin = -6; margin <= 6; margin += 0.5) {
      EXPECT_NEAR(dpo_term(margin, smoothing).loss, trl_loss(1, smoothing, margin, 0, 0, 0), 1e-12);
      const double h = 1e-5;
      const double slope = (dpo_term(margin + h, smoothing).loss - dpo_term(margin - h, smoothing).loss) / (2 * h);
      EXPECT_NEAR(dpo_term(margin, smoothing).slope, slope, 1e-9);
    }
  }
  for (const double margin : {-1e4, 1e4}) {  // no overflow where the exponential has one
    EXPECT_DOUBLE_EQ(dpo_term(margin, 0).loss, margin < 0 ? 1e4 : 0);
    EXPECT_TRUE(std::isfinite(dpo_term(margin, 0.1).loss));
  }
}

struct Fixture {
  explicit Fixture(int threads = 2)
      : team(threads, single_threaded_torch),
        source(ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied")),
        store(source, WeightType::f32, team),
        view(store),
        decoder(store.shape(), team, Compute::f32) {
    PhiloxSequence random(5, Stream::initial);
    const auto token = [&] { return static_cast<std::int32_t>(random.below(61)); };
    for (std::size_t i = 0; i < 5; ++i) {
      Preference pair;
      pair.prompt = 1 + 2 * i;
      for (std::size_t t = 0; t < pair.prompt; ++t) pair.chosen.tokens.push_back(token());
      pair.rejected.tokens = pair.chosen.tokens;
      for (std::size_t t = 0; t < 1 + i; ++t) pair.chosen.tokens.push_back(token());  // the first has a single token
      for (std::size_t t = 0; t < 4; ++t) pair.rejected.tokens.push_back(token());
      for (Sequence* side : {&pair.chosen, &pair.rejected}) {
        side->is_target.assign(side->tokens.size(), 1);
        std::fill_n(side->is_target.begin(), pair.prompt, 0);
      }
      if (i == 4) pair.chosen.is_target[pair.prompt + 1] = 0;  // a token of another role inside the answer
      data.preferences.push_back(std::move(pair));
    }
    all.resize(data.preferences.size());
    std::iota(all.begin(), all.end(), 0u);
  }
  // log p of an answer from its whole sequence alone.
  double answer(const Sequence& sequence) {
    PackedBatch batch;
    batch.append(sequence.tokens);
    std::vector<Pass::Query> queries;
    for (std::size_t t = 1; t < sequence.tokens.size(); ++t) {
      if (sequence.is_target[t] != 0) queries.push_back({static_cast<std::int64_t>(t) - 1, sequence.tokens[t]});
    }
    const auto values = decoder.forward(view, batch)->log_probabilities(queries);
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  // Every weight of a matrix moved along `by`, times `scale`.
  void move(std::size_t id, const std::vector<float>& by, double scale) {
    auto* w = reinterpret_cast<float*>(store.bytes(id).data());
    for (std::size_t i = 0; i < by.size(); ++i) w[i] += static_cast<float>(scale * static_cast<double>(by[i]));
  }
  void disturb() {
    PhiloxSequence random(8, Stream::initial);
    for (std::size_t id = 0; id < store.size(); ++id) {
      std::vector<float> noise(static_cast<std::size_t>(store.elements(id)));
      for (float& x : noise) x = static_cast<float>(random.uniform() - 0.5);
      move(id, noise, 0.05);
    }
  }

  Threads team;
  std::shared_ptr<const ModelSource> source;
  WeightStore store;
  BaseView view;
  Decoder decoder;
  PreferenceDataset data;
  std::vector<std::uint32_t> all;
};

TEST(DpoLoss, IsTrlsFormulaOnWholeSequences) {
  for (const double smoothing : {0.0, 0.2}) {
    Fixture f;
    const PreferenceConfig config{0.7, smoothing};
    DpoLoss loss(f.decoder, f.data, config), packed(f.decoder, f.data, config, 1);  // the second: a forward a pair
    const std::vector<double> reference = loss.reference_of(f.view, "pairs");
    for (std::size_t i = 0; i < f.data.preferences.size(); ++i) {
      EXPECT_NEAR(reference[2 * i], f.answer(f.data.preferences[i].chosen), 1e-4);
      EXPECT_NEAR(reference[2 * i + 1], f.answer(f.data.preferences[i].rejected), 1e-4);
    }
    loss.set_reference(reference);
    packed.set_reference(reference);
    f.disturb();
    double expected = 0, margins = 0, wrong = 0;
    for (std::size_t i = 0; i < f.data.preferences.size(); ++i) {
      const double chosen = f.answer(f.data.preferences[i].chosen), rejected = f.answer(f.data.preferences[i].rejected);
      expected += trl_loss(0.7, smoothing, chosen, rejected, reference[2 * i], reference[2 * i + 1]);
      const double margin = 0.7 * (chosen - reference[2 * i] - rejected + reference[2 * i + 1]);
      margins += margin;
      wrong += margin <= 0;
    }
    EXPECT_NEAR(loss.loss_sums(f.view, f.all)[0], expected, 1e-4);
    EXPECT_NEAR(packed.loss_sums(f.view, f.all)[0], expected, 1e-4);
    EXPECT_EQ(loss.forwards(f.all), 1u);
    EXPECT_EQ(packed.forwards(f.all), f.all.size());
    EXPECT_EQ(loss.error_sums(f.view, f.all)[0], wrong);
    const Json found = loss.evaluate(f.view, "pairs"), details = loss.take_details();
    const auto n = static_cast<double>(f.all.size());
    EXPECT_NEAR(found["loss"].get<double>(), expected / n, 1e-4);
    EXPECT_NEAR(found["rewards/margins"].get<double>(), margins / n, 1e-4);
    EXPECT_NEAR(found["rewards/accuracies"].get<double>(), 1 - wrong / n, 1e-12);
    EXPECT_NEAR(details["rewards/margins"].get<double>(), margins / n, 1e-4);
    EXPECT_EQ(loss.take_details(), Json::object()) << "they are taken once";
  }
}

// At the start the reference is the model itself.
TEST(DpoLoss, BeginsAtTheLogarithmOfTwo) {
  Fixture f;
  DpoLoss loss(f.decoder, f.data, {});
  const double expected = static_cast<double>(f.all.size()) * std::log(2.0);
  EXPECT_DOUBLE_EQ(loss.loss_sums(f.view, f.all)[0], expected);
  loss.set_reference(loss.reference_of(f.view, "pairs"));
  EXPECT_NEAR(loss.loss_sums(f.view, f.all)[0], expected, 1e-6);
}

TEST(DpoLoss, GradientIsTheDifferenceOfTheLoss) {
  Fixture f;
  const PreferenceConfig config{0.5, 0.1};
  DpoLoss loss(f.decoder, f.data, config);
  loss.set_reference(loss.reference_of(f.view, "pairs"));
  f.disturb();
  for (const bool keeps : {false, true}) {
    AllGradients found(f.store), halves(f.store);
    const double scale = 0.25, sum = loss.loss_and_gradients(f.view, f.all, scale, keeps, found);
    EXPECT_NEAR(sum, loss.loss_sums(f.view, f.all)[0], 1e-5);
    loss.loss_and_gradients(f.view, std::span(f.all).first(2), scale, keeps, halves);
    loss.loss_and_gradients(f.view, std::span(f.all).subspan(2), scale, keeps, halves);
    for (std::size_t id = 0; id < f.store.size(); ++id) {
      const auto& g = found.sums[id];
      double norm = 0, apart = 0;
      for (std::size_t i = 0; i < g.size(); ++i) {
        norm += static_cast<double>(g[i]) * static_cast<double>(g[i]);
        const double gap = static_cast<double>(g[i]) - static_cast<double>(halves.sums[id][i]);
        apart += gap * gap;
      }
      norm = std::sqrt(norm);
      ASSERT_GT(norm, 0) << f.store.spec(id).name;
      EXPECT_LT(std::sqrt(apart), 1e-4 * norm) << f.store.spec(id).name;
      // Along the gradient the slope of scale times the loss is the norm squared. A step moves the loss by 5e-3, fp32's
      // rounding of the log-probabilities by about 1e-5.
      const double step = 5e-3 * scale / (norm * norm);
      std::vector<double> losses;
      const std::vector<std::byte> before(f.store.bytes(id).begin(), f.store.bytes(id).end());
      for (const double sign : {1.0, -1.0}) {
        f.move(id, g, sign * step);
        losses.push_back(loss.loss_sums(f.view, f.all)[0]);
        std::copy(before.begin(), before.end(), f.store.bytes(id).begin());
      }
      EXPECT_NEAR(scale * (losses[0] - losses[1]) / (2 * step), norm * norm, 0.02 * norm * norm)
          << f.store.spec(id).name;
    }
  }
}

// The guard is asked on the way, not at the end alone, and what it throws stops the pass.
TEST(DpoLoss, AsksItsGuardWhileItJudgesAndOnItsWay) {
  Fixture f;
  const PreferenceDataset five = f.data;
  while (f.data.preferences.size() < 40)
    f.data.preferences.insert(f.data.preferences.end(), five.preferences.begin(), five.preferences.end());
  DpoLoss loss(f.decoder, f.data, {});
  for (const bool judges : {false, true}) {
    int asked = 0, most = 1000;
    loss.set_guard([&] {
      if (++asked == most) throw Error(Exit::budget, "too large", "give more");
    });
    const auto pass = [&] { judges ? void(loss.evaluate(f.view, "pairs")) : void(loss.reference_of(f.view, "pairs")); };
    pass();
    EXPECT_EQ(asked, 3) << "40 pairs, 16 of a call";
    asked = 0, most = 2;
    EXPECT_THROW(pass(), Error);
    EXPECT_EQ(asked, 2);
  }
}

}  // namespace
}  // namespace frugal
