#include "frugal/nn/modules/layers.h"

#include <gtest/gtest.h>

#include "frugal/nn/modules/trained_parameters.h"

namespace frugal {
namespace {

constexpr double kFloat = 1.2e-7;  // epsilon

bool is_same(const torch::Tensor& a, const torch::Tensor& b) { return torch::equal(a, b); }

TEST(RandomTensors, AreFunctionsOfTheirCoordinates) {
  const Draw draw{.seed = 3, .stream = named_stream("test.tensor"), .id = 1, .step = 9};
  EXPECT_TRUE(is_same(random_normal({5, 7}, draw), random_normal({5, 7}, draw)));
  EXPECT_TRUE(is_same(random_normal({100}, draw).narrow(0, 0, 33), random_normal({33}, draw)));
  for (const Draw& other : {Draw{4, draw.stream, 1, 9}, Draw{3, named_stream("test.other"), 1, 9},
                            Draw{3, draw.stream, 2, 9}, Draw{3, draw.stream, 1, 8}})
    EXPECT_FALSE(is_same(random_normal({35}, draw), random_normal({35}, other)));
}

TEST(RandomTensors, HaveTheirDistributions) {
  constexpr std::int64_t kCount = 200000;
  const double error = 5 / std::sqrt(double{kCount});  // 5 standard errors, of a variance of 1
  const Draw draw{.seed = 1, .stream = named_stream("test.tensor")};
  const torch::Tensor normal = random_normal({kCount}, draw).to(torch::kDouble);
  EXPECT_NEAR(normal.mean().item<double>(), 0, error);
  EXPECT_NEAR(normal.square().mean().item<double>(), 1, error * std::sqrt(2.0));
  const torch::Tensor cut = random_truncated_normal({kCount}, 2, draw).to(torch::kDouble);
  EXPECT_LE(cut.abs().max().item<double>(), 2);
  EXPECT_NEAR(cut.square().mean().sqrt().item<double>(), 0.87962566103423978, error);
  const torch::Tensor uniform = random_uniform({kCount}, draw).to(torch::kDouble);
  EXPECT_NEAR(uniform.mean().item<double>(), 0.5, error * std::sqrt(1.0 / 12));
  EXPECT_GT(uniform.min().item<double>(), 0);
  const torch::Tensor mask = random_mask({kCount}, 0.7, draw).to(torch::kDouble);
  EXPECT_NEAR((mask > 0).to(torch::kDouble).mean().item<double>(), 0.7, error * std::sqrt(0.21) + 1.0 / 131072);
  EXPECT_NEAR(mask.max().item<double>(), 1 / 0.7, 2 * kFloat);
  EXPECT_EQ(random_mask({100}, 1, draw).min().item<double>(), 1);
  auto order = random_permutation(100, draw);
  EXPECT_NE(order, random_permutation(100, {.seed = 2, .stream = draw.stream}));
  std::sort(order.begin(), order.end());
  for (std::int64_t k = 0; k < 100; ++k) EXPECT_EQ(order[static_cast<std::size_t>(k)], k);
}

// Keras's 'same': figures of tf.keras.layers.MaxPool1D(size, 2, 'same') follow from its formula.
TEST(Layers, MaxPoolPadsAsKerasDoes) {
  const auto pool = [](std::vector<float> x, std::int64_t size) {
    const torch::Tensor y = max_pool_same(torch::tensor(x).view({1, 1, -1}), size).flatten();
    return std::vector<float>(y.data_ptr<float>(), y.data_ptr<float>() + y.numel());
  };
  EXPECT_EQ(pool({5, 1, 2, 3}, 3), (std::vector<float>{5, 3}));                // one padded place, behind
  EXPECT_EQ(pool({-5, -1, -2, -3, -4}, 3), (std::vector<float>{-1, -1, -3}));  // one before, one behind; never 0
  EXPECT_EQ(pool({1, 9, 2, 8, 3, 7}, 5), (std::vector<float>{9, 9, 8}));       // three: one before, two behind
  EXPECT_EQ(pool({-7}, 5), (std::vector<float>{-7}));
  EXPECT_EQ(pool({4, 6, 5}, 1), (std::vector<float>{4, 5}));
  EXPECT_EQ(pool({4, 6, 5, 7}, 2), (std::vector<float>{6, 7}));
}

TEST(Layers, ConvolutionKeepsTheLengthForEveryKernel) {
  Initialiser initial(1);
  for (const std::int64_t kernel : {1, 2, 3, 7, 8, 40}) {
    SameConv conv(2, 3, kernel, initial);
    EXPECT_EQ(conv(torch::zeros({4, 2, 9})).sizes().vec(), (std::vector<std::int64_t>{4, 3, 9}));
  }
  // An even kernel of 8 has three places before and four behind: the first output sees the first five inputs.
  SameConv conv(1, 1, 8, initial);
  const torch::NoGradGuard no_grad;
  conv->weight.fill_(1);
  EXPECT_EQ(conv(torch::ones({1, 1, 20})).flatten()[0].item<float>(), 5);
  EXPECT_EQ(conv(torch::ones({1, 1, 20})).flatten()[19].item<float>(), 4);
}

TEST(Layers, DropoutDrawsTheSameForTheSameStep) {
  auto noise = std::make_shared<StepNoise>(StepNoise{.seed = 5});
  Dropout first(0.4, noise), second(0.4, noise), across(0.4, noise, 1);
  const torch::Tensor x = torch::ones({20, 30, 4});
  const torch::Tensor y = first(x);
  EXPECT_TRUE(is_same(first(x), y));
  EXPECT_FALSE(is_same(second(x), y));
  noise->step = 1;
  EXPECT_FALSE(is_same(first(x), y));
  noise->step = 0;
  EXPECT_TRUE(is_same(first(x), y));
  const torch::Tensor z = across(x);
  EXPECT_TRUE(is_same(z.select(1, 0), z.select(1, 29)));
  EXPECT_FALSE(is_same(z.select(0, 0), z.select(0, 1)));
  first->eval();
  EXPECT_TRUE(is_same(first(x), x));
}

TEST(Layers, SinesStandBeforeCosines) {
  const torch::Tensor code = sinusoidal_code(6, 8);
  for (std::int64_t t = 0; t < 6; ++t) {
    for (std::int64_t k = 0; k < 4; ++k) {
      const double angle = static_cast<double>(t) * std::pow(10000.0, -static_cast<double>(k) / 4);
      EXPECT_NEAR(code[t][k].item<double>(), std::sin(angle), kFloat);
      EXPECT_NEAR(code[t][4 + k].item<double>(), std::cos(angle), kFloat);
    }
  }
}

TEST(Layers, AttentionOfWideHeadsIsItsDefinition) {
  Initialiser initial(2);
  WideAttention attention(6, 3, false, initial);
  std::int64_t count = 0;
  for (const auto& p : attention->parameters()) count += p.numel();
  EXPECT_EQ(count, 3 * (6 * 18 + 18) + 18 * 6 + 6);  // Keras: three projections of D to heads D, and one back
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = random_normal({1, 4, 6}, {.seed = 1, .stream = named_stream("test.x")});
  const auto p = attention->named_parameters();
  const torch::Tensor all = torch::matmul(x[0], p["in.weight"].t()) + p["in.bias"];
  std::vector<torch::Tensor> heads;
  for (std::int64_t h = 0; h < 3; ++h) {
    const torch::Tensor q = all.narrow(1, 6 * h, 6), k = all.narrow(1, 18 + 6 * h, 6), v = all.narrow(1, 36 + 6 * h, 6);
    heads.push_back(torch::matmul((torch::matmul(q, k.t()) / std::sqrt(6.0)).softmax(1), v));
  }
  const torch::Tensor expected = torch::matmul(torch::cat(heads, 1), p["out.weight"].t()) + p["out.bias"];
  EXPECT_LT((attention(x)[0] - expected).abs().max().item<double>(),
            100 * kFloat * expected.abs().max().item<double>());
}

TEST(Layers, CausalAttentionSeesNothingThatFollows) {
  Initialiser initial(2);
  WideAttention attention(4, 2, true, initial);
  const torch::NoGradGuard no_grad;
  torch::Tensor x = random_normal({1, 5, 4}, {.seed = 1, .stream = named_stream("test.x")});
  const torch::Tensor before = attention(x).clone();
  x[0][3].add_(1);
  EXPECT_TRUE(is_same(attention(x).narrow(1, 0, 3), before.narrow(1, 0, 3)));
  EXPECT_FALSE(is_same(attention(x).narrow(1, 3, 2), before.narrow(1, 3, 2)));
}

TEST(Layers, LstmStepByStepIsLibTorchs) {
  Initialiser initial(4);
  MaskedLstm lstm(3, 5, initial);
  const torch::NoGradGuard no_grad;
  torch::Tensor x = random_normal({2, 6, 3}, {.seed = 1, .stream = named_stream("test.x")});
  const torch::Tensor whole = lstm(x), all_seen = torch::ones({2, 6}, torch::kBool);
  EXPECT_LT((lstm(x, all_seen) - whole).abs().max().item<double>(), 50 * kFloat);
  // A step that is left out changes nothing: as if the sequence were one shorter.
  torch::Tensor mask = all_seen.clone();
  mask.select(1, 2).fill_(false);
  const torch::Tensor shorter = lstm(torch::cat({x.narrow(1, 0, 2), x.narrow(1, 3, 3)}, 1));
  const torch::Tensor masked = lstm(x, mask);
  EXPECT_LT((masked.select(1, 5) - shorter.select(1, 4)).abs().max().item<double>(), 50 * kFloat);
  EXPECT_TRUE(is_same(masked.select(1, 2), masked.select(1, 1)));
}

TEST(Initial, ValuesFollowKeras) {
  Initialiser initial(6), again(6);
  const torch::Tensor conv = torch::empty({200, 40, 7}), twice = torch::empty({200, 40, 7});
  initial.he_normal(conv), again.he_normal(twice);
  EXPECT_TRUE(is_same(conv, twice));
  const double deviation = std::sqrt(2.0 / 280);
  EXPECT_NEAR(conv.to(torch::kDouble).square().mean().sqrt().item<double>(), deviation,
              deviation * 5 / std::sqrt(2.0 * 56000));
  EXPECT_LE(conv.abs().max().item<double>(), 2 * deviation / 0.8796);
  for (const auto& shape : {std::vector<std::int64_t>{12, 5}, {5, 12}, {4, 4}}) {
    const torch::Tensor w = torch::empty(shape);
    initial.orthogonal(w);
    const torch::Tensor gram = shape[0] < shape[1] ? torch::matmul(w, w.t()) : torch::matmul(w.t(), w);
    EXPECT_LT((gram - torch::eye(gram.size(0))).abs().max().item<double>(), 20 * kFloat);
  }
}

struct Tiny : torch::nn::Module {
  Tiny() {
    w = register_parameter("w", torch::tensor({1.0f, -2.0f, 3.0f}));
    mean = register_buffer("mean", torch::zeros({2}));
  }
  torch::Tensor w, mean;
};

// Two steps of Adam by hand, in double.
TEST(TrainedParameters, AdamIsItsFormula) {
  Tiny tiny;
  TrainedParameters trained(tiny);
  const AdamOptions options{.lr = 0.1};
  double w[3] = {1, -2, 3}, m[3] = {}, v[3] = {};
  for (std::int64_t t = 1; t <= 2; ++t) {
    trained.clear_gradients();
    (tiny.w.square().sum() * 0.5).backward();
    trained.adam(options, t);
    const auto steps = static_cast<double>(t);
    for (int k = 0; k < 3; ++k) {
      const double g = w[k];
      m[k] = 0.9 * m[k] + 0.1 * g, v[k] = 0.999 * v[k] + 0.001 * g * g;
      w[k] -=
          0.1 * std::sqrt(1 - std::pow(0.999, steps)) / (1 - std::pow(0.9, steps)) * m[k] / (std::sqrt(v[k]) + 1e-7);
      EXPECT_NEAR(tiny.w[k].item<double>(), w[k], 1e-5 * std::abs(w[k])) << t;  // v is float: sqrt(0.001 g^2) to 1e-6
    }
  }
}

TEST(TrainedParameters, KeepsAndRestoresTheBestAndNamesItsParts) {
  Tiny tiny;
  TrainedParameters trained(tiny);
  trained.keep_best();
  {
    const torch::NoGradGuard no_grad;
    tiny.w.fill_(7), tiny.mean.fill_(3);
  }
  std::vector<std::string> names;
  trained.visit([&](const std::string& name, std::span<std::byte> part) {
    names.push_back(name);
    EXPECT_EQ(part.size(), name.ends_with("w") ? 12u : 8u);
  });
  EXPECT_EQ(names, (std::vector<std::string>{"w", "adam.first.w", "adam.second.w", "best.w", "mean", "best.mean"}));
  trained.restore_best();
  EXPECT_EQ(tiny.w[1].item<float>(), -2);
  EXPECT_EQ(tiny.mean[0].item<float>(), 0);
}

}  // namespace
}  // namespace frugal
