// Least squares behind units that went: closed forms, and models whose units say what others say.
#include "frugal/prune/torch/reconstruct.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "frugal/formats/tests/small_model.h"
#include "frugal/plan/saturating.h"
#include "frugal/prune/common/refit_plan.h"
#include "frugal/prune/torch/least_squares.h"
#include "frugal/prune/torch/prune_model.h"

namespace frugal {
namespace {

using formats_tests::SmallModel;
using formats_tests::whole_tensor;

constexpr std::int64_t kIn = 150, kOut = 7, kTokens = 600;  // more columns than a tile

// e = D x + c + noise, x with a mean of its own and columns of very different sizes.
struct Planted {
  explicit Planted(float noise) : x(kTokens * kIn), e(kTokens * kOut), D(kOut * kIn), c(kOut), s(kTokens) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    for (float& value : D) value = normal(random);
    for (float& value : c) value = normal(random);
    for (std::size_t t = 0; t < kTokens; ++t) {
      s[t] = t % 3 == 0 ? 2.0f : 0.5f;
      for (std::size_t i = 0; i < kIn; ++i) x[t * kIn + i] = (normal(random) + 0.5f) * (i % 10 == 0 ? 4.0f : 1.0f);
      for (std::size_t j = 0; j < kOut; ++j) {
        float sum = c[j] + noise * normal(random);
        for (std::size_t i = 0; i < kIn; ++i) sum += D[j * kIn + i] * x[t * kIn + i];
        e[t * kOut + j] = sum;
      }
    }
  }
  LeastSquares sums(int threads = 2) const {
    Threads team(threads, single_threaded_torch);
    LeastSquares squares(kIn, kOut);
    std::vector<float> rows(x), wanted(e);
    squares.add(team, rows.data(), wanted.data(), s.data(), 400);
    squares.add(team, rows.data() + 400 * kIn, wanted.data() + 400 * kOut, s.data() + 400, kTokens - 400);
    return squares;
  }
  double loss(const LeastSquares::Change& change) const {  // sum_t s_t^2 |D x_t + c - e_t|^2
    double sum = 0;
    for (std::size_t t = 0; t < kTokens; ++t) {
      for (std::size_t j = 0; j < kOut; ++j) {
        double left = static_cast<double>(change.bias[j]) - static_cast<double>(e[t * kOut + j]);
        for (std::size_t i = 0; i < kIn; ++i)
          left += static_cast<double>(change.weight[j * kIn + i]) * static_cast<double>(x[t * kIn + i]);
        sum += left * left * static_cast<double>(s[t]) * static_cast<double>(s[t]);
      }
    }
    return sum;
  }
  std::vector<float> x, e, D, c, s;
};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

TEST(LeastSquares, FindsWhatWasPlanted) {
  const Planted p(0);
  const LeastSquares::Change found = p.sums().solve(1e-9, true, true);
  EXPECT_LT(distance(found.weight, p.D), 1e-3);
  EXPECT_LT(distance(found.bias, p.c), 1e-3);
}

// Whatever is sought, the loss falls, and by more where more may change; less than at its own minimum is impossible.
TEST(LeastSquares, NeverMakesItWorse) {
  const Planted p(2);
  const LeastSquares sums = p.sums();
  const LeastSquares::Change none{std::vector<float>(kOut * kIn), std::vector<float>(kOut)};
  double before = p.loss(none);
  for (const double ridge : {1e3, 10.0, 0.1, 1e-3, 1e-6}) {
    const double loss = p.loss(sums.solve(ridge, true, false));
    EXPECT_LT(loss, before) << ridge;
    EXPECT_LT(p.loss(sums.solve(ridge, true, true)), loss) << ridge;
    before = loss;
  }
  LeastSquares::Change moved = sums.solve(1e-9, true, true);
  const double least = p.loss(moved);
  for (float& value : moved.weight) value *= 1.001f;
  EXPECT_GT(p.loss(moved), least);
}

TEST(LeastSquares, ABiasAloneIsTheMean) {
  const Planted p(1);
  const LeastSquares::Change found = p.sums().solve(1e-3, false, true);
  for (std::size_t j = 0; j < kOut; ++j) {
    double mean = 0, all = 0;
    for (std::size_t t = 0; t < kTokens; ++t) {
      const double weight = static_cast<double>(p.s[t]) * static_cast<double>(p.s[t]);
      mean += weight * static_cast<double>(p.e[t * kOut + j]);
      all += weight;
    }
    mean /= all;
    EXPECT_NEAR(found.bias[j], mean, 1e-5 * (1 + std::abs(mean)));
  }
  EXPECT_EQ(found.weight, std::vector<float>(kOut * kIn));
}

TEST(LeastSquares, ThreadsDoNotChangeIt) {
  const Planted p(1);
  const LeastSquares::Change one = p.sums(1).solve(1e-3, true, true), three = p.sums(3).solve(1e-3, true, true);
  EXPECT_EQ(one.weight, three.weight);
  EXPECT_EQ(one.bias, three.bias);
}

// Columns that say the same make a system that no ridge of this size keeps regular in fp32 sums: it is solved all the
// same. What is no number is refused.
TEST(LeastSquares, SolvesSingularSystems) {
  Planted p(0);
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t i = 1; i < kIn; ++i) p.x[t * kIn + i] = p.x[t * kIn];
  }
  const LeastSquares::Change found = p.sums().solve(1e-14, true, false);
  for (const float value : found.weight) EXPECT_TRUE(std::isfinite(value));
  p.x[5] = NAN;
  EXPECT_NE(formats_tests::error_of([&] { p.sums().solve(1e-3, true, true); }).find("is no number"), std::string::npos);
}

// In every layer the second half of the neurons and the second key head with its query heads say what those of the
// first half say, times a factor.
std::shared_ptr<SmallModel> repeating() {
  ModelShape shape = formats_tests::small_shape(true);
  shape.layers.assign(3, LayerShape{4, 2, 40});
  const auto model = std::make_shared<SmallModel>(shape);
  for (std::size_t id = 0; id < model->tensors().size(); ++id) {
    const SourceTensor& tensor = model->tensors()[id];
    std::vector<float>& values = model->values(id);
    const auto half = static_cast<std::size_t>(tensor.rows / 2 * tensor.cols);
    if (tensor.role == Role::q || tensor.role == Role::k || tensor.role == Role::gate)
      std::copy_n(values.begin(), half, values.begin() + static_cast<std::ptrdiff_t>(half));
    if (tensor.role == Role::v || tensor.role == Role::up)
      std::transform(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half),
                     values.begin() + static_cast<std::ptrdiff_t>(half), [](float value) { return -1.5f * value; });
    if (tensor.role == Role::input_norm || tensor.role == Role::feed_forward_norm || tensor.role == Role::final_norm)
      std::fill(values.begin(), values.end(), 1.0f);
  }
  return model;
}

std::vector<std::vector<std::int32_t>> some_windows(std::size_t count = 24) {
  std::mt19937 random(9);
  std::vector<std::vector<std::int32_t>> windows(count, std::vector<std::int32_t>(64));
  for (auto& window : windows) {
    for (std::int32_t& token : window) token = static_cast<std::int32_t>(random() % 250);
  }
  return windows;
}

std::vector<float> logits_of(std::shared_ptr<const ModelSource> source, WeightType type = WeightType::f32) {
  Threads team(2, single_threaded_torch);
  const WeightStore store(std::move(source), type, team);
  const BaseView view(store);
  Decoder decoder(store.shape(), team, Compute::f32);
  PackedBatch batch;
  batch.append(some_windows(25).back());
  std::vector<std::int64_t> rows(64);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  return decoder.forward(view, batch)->logits(rows);
}

std::vector<KeptUnits> all_of(const ModelSource& model) {
  std::vector<KeptUnits> kept;
  for (const LayerShape& layer : model.shape().layers) kept.push_back(all_units(layer));
  return kept;
}
std::vector<KeptUnits> first_halves(const ModelSource& model) {
  std::vector<KeptUnits> kept = all_of(model);
  for (KeptUnits& layer : kept) {
    layer.heads.resize(layer.heads.size() / 2);
    layer.neurons.resize(layer.neurons.size() / 2);
  }
  return kept;
}

TEST(Reconstruct, WhereNothingWentNothingChanges) {
  Threads team(2, single_threaded_torch);
  const std::shared_ptr<const ModelSource> dense = repeating();
  const auto same = reconstruct(dense, all_of(*dense), some_windows(2), {true, true}, Compute::bf16, team);
  for (std::size_t id = 0; id < same->tensors().size(); ++id) {
    const SourceTensor& tensor = same->tensors()[id];
    const std::size_t theirs = PatchedModel(dense).find(tensor.layer, tensor.role, tensor.is_bias);
    EXPECT_EQ(whole_tensor(*same, id), theirs < dense->tensors().size()
                                           ? whole_tensor(*dense, theirs)
                                           : std::vector<float>(static_cast<std::size_t>(tensor.cols)))
        << tensor.name;
  }
}

TEST(Reconstruct, FindsWhatUnitsThatStaySayOfThoseThatWent) {
  Threads team(2, single_threaded_torch);
  const std::shared_ptr<const ModelSource> dense = repeating();
  const std::vector<KeptUnits> kept = first_halves(*dense);
  const std::vector<float> wanted = logits_of(dense);
  const double without = distance(logits_of(open_shrunk(dense, kept)), wanted);
  const auto found = reconstruct(dense, kept, some_windows(), {true, false, 1e-8}, Compute::f32, team);
  EXPECT_GT(without, 0.1);
  EXPECT_LT(distance(logits_of(found), wanted), 1e-4 * without);
  EXPECT_EQ(found->shape().biases, Biases{});
}

// Biases alone take less than weights, both most; layers without attention or feed-forward are passed by.
TEST(Reconstruct, EveryKindOfChangeHelps) {
  Threads team(2, single_threaded_torch);
  ModelShape shape = formats_tests::small_shape(true);
  shape.layers.assign(4, LayerShape{4, 2, 96});
  const auto dense = std::make_shared<SmallModel>(shape);
  std::vector<KeptUnits> kept = first_halves(*dense);
  kept[1] = {};
  kept[2].heads.clear();
  const std::vector<float> wanted = logits_of(dense);
  const auto error = [&](const std::shared_ptr<const ModelSource>& model) {
    const std::vector<float> found = logits_of(model);
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) sum += std::pow(static_cast<double>(found[i]) - wanted[i], 2);
    return sum;
  };
  const double before = error(open_shrunk(dense, kept));
  double weights = 0;
  for (const Refit refit : {Refit{false, true}, Refit{true, false}, Refit{true, true}}) {
    const auto one = reconstruct(dense, kept, some_windows(), refit, Compute::f32, team);
    EXPECT_EQ(one->shape().layers[1], LayerShape{});
    EXPECT_LT(error(one), before);
    if (refit.has_weights && !refit.has_biases) weights = error(one);
    if (refit.has_weights && refit.has_biases) {
      EXPECT_LT(error(one), 1.02 * weights);
    }
  }
}

TEST(Reconstruct, ThreadsDoNotChangeIt) {
  const std::shared_ptr<const ModelSource> dense = repeating();
  for (const Compute compute : {Compute::f32, Compute::bf16}) {
    std::vector<std::shared_ptr<PatchedModel>> found;
    for (const int threads : {1, 3}) {
      Threads team(threads, single_threaded_torch);
      found.push_back(reconstruct(dense, first_halves(*dense), some_windows(5), {true, true}, compute, team));
    }
    for (std::size_t id = 0; id < found[0]->tensors().size(); ++id)
      EXPECT_EQ(whole_tensor(*found[0], id), whole_tensor(*found[1], id)) << found[0]->tensors()[id].name;
  }
}

// Restored from a snapshot it is not refitted yet; refitted again, in any type of weights, it is the same.
TEST(Reconstruct, IsMadeAgainToTheSameBits) {
  std::vector<std::int32_t> tokens;
  for (const auto& window : some_windows()) tokens.insert(tokens.end(), window.begin(), window.end());
  for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::nf4}) {
    Threads team(2, single_threaded_torch);
    PruneModel first(repeating(), type, Compute::f32, team, tokens, -1),
        second(repeating(), type, Compute::f32, team, tokens, -1);
    const Windows windows = first.windows(1, 0, 6, 32);
    std::vector<Unit> gone;
    for (const Unit& unit : units_of(first.shape())) {
      if (unit.kind == UnitKind::neuron && unit.index >= 20) gone.push_back(unit);
    }
    first.remove(gone);
    const double before = first.loss(windows);
    first.refit(windows, {true, true});
    State saved;
    first.state(saved);
    std::map<std::string, std::uint64_t> sizes;
    for (const NamedBytes& part : saved.parts()) sizes[part.name] = part.bytes.size();
    State restored(sizes);
    second.state(restored);
    std::copy(saved.parts()[0].bytes.begin(), saved.parts()[0].bytes.end(), restored.parts()[0].bytes.begin());
    EXPECT_FALSE(second.is_refitted());
    EXPECT_EQ(second.loss(windows), before);
    second.refit(windows, {true, true});
    EXPECT_EQ(second.loss(windows), first.loss(windows));
    EXPECT_NE(second.loss(windows), before);
    second.remove({units_of(second.shape()).front()});
    EXPECT_FALSE(second.is_refitted()) << "what was fitted is of other units";
  }
}

TEST(RefitPlan, CountsWhatGrows) {
  ModelShape shape = formats_tests::small_shape(true);
  EXPECT_EQ(refit_windows(shape, 96), 8);
  const RefitPlan small = plan_refit(shape, 1000, 100);
  EXPECT_EQ(plan_refit(shape, 2000, 100).meanwhile - small.meanwhile, 1000u * 2 * 64 * 4);
  EXPECT_EQ(small.afterwards - kSolverBytes, 2u * 64 * (32 + 96 + 2) * 4);
  shape.layers.assign(2, LayerShape{4, 2, 0});
  EXPECT_EQ(refit_windows(shape, 96), 3);  // 256 tokens for 32 columns
  shape.layers.assign(1, LayerShape{0, 0, std::int64_t{1} << 40});
  shape.hidden = std::int64_t{1} << 40;
  EXPECT_EQ(plan_refit(shape, 1, 1).meanwhile, Saturating::kMost) << "a header may claim any shape";
}

}  // namespace
}  // namespace frugal
