#include "frugal/signals/swarm/torch/classifier.h"

#include <gtest/gtest.h>

namespace frugal::tsc {
namespace {

ModelConfig small_sizes() {
  ModelConfig sizes;
  sizes.res.filters = {"8", "8", "12"}, sizes.res.kernels = {"7", "5", "3"};
  sizes.tr.width = 16, sizes.tr.hidden = 12, sizes.tr.heads = 2;
  return sizes;
}

torch::Tensor some(const std::vector<std::int64_t>& shape) {
  return random_normal(shape, {.seed = 1, .stream = named_stream("test.x")});
}

std::int64_t parameters(const Classifier& classifier) {
  std::int64_t count = 0;
  for (const auto& p : classifier.parameters()) count += p.numel();
  return count;
}

TEST(Classifier, EveryModelHasEveryOutputAndAGradientForEveryParameter) {
  for (const Plugin& model : models()) {
    for (const std::string output : {"mc", "ml", "mh"}) {
      for (const bool is_sequence : {false, true}) {
        const bool can = model.name == "lstm" || model.name == "tr";
        if (is_sequence && !can) continue;
        Classifier classifier(std::string(model.name), small_sizes(),
                              {.features = 12, .window = 9, .is_sequence = is_sequence, .agents = 3}, output, 3);
        const Outputs outputs = classifier.forward(some({5, 12, 9}));
        const auto shape = [&](std::int64_t last) {
          return is_sequence ? std::vector<std::int64_t>{5, 9, last} : std::vector<std::int64_t>{5, last};
        };
        ASSERT_EQ(outputs.classes.defined(), output != "ml");
        ASSERT_EQ(outputs.attributes.defined(), output != "mc");
        if (outputs.classes.defined()) {
          EXPECT_EQ(outputs.classes.sizes().vec(), shape(4)) << model.name;
        }
        if (outputs.attributes.defined()) {
          EXPECT_EQ(outputs.attributes.sizes().vec(), shape(2)) << model.name;
        }
        EXPECT_EQ(probabilities(outputs).sizes().vec(), shape(4));
        EXPECT_LT((probabilities(outputs).sum(-1) - 1).abs().max().item<double>(), 1e-6);
        loss(outputs, torch::tensor({0, 1, 2, 3, 0}, torch::kLong)).backward();
        for (const auto& item : classifier.named_parameters()) {
          ASSERT_TRUE(item.value().grad().defined()) << model.name << " " << item.key();
          EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>());
        }
      }
    }
  }
}

// Counts by hand: weights and biases of each layer of the paper's default networks at 10 agents and 20 steps.
TEST(Classifier, ParameterCountsAreThoseOfTheDescription) {
  const Shape shape{.features = 40, .window = 20};
  const auto count = [&](const char* model, const char* output, ModelConfig sizes = {}) {
    return parameters({model, sizes, shape, output, 1});
  };
  EXPECT_EQ(count("fc", "mc"), (800 * 100 + 100) + (100 * 12 + 12) + (12 * 4 + 4));
  EXPECT_EQ(count("cnn", "mc"), (40 * 7 * 64 + 64) + (64 * 5 * 64 + 64) + (64 * 3 * 64 + 64) + (3 * 64 * 4 + 4));
  EXPECT_EQ(count("cnn", "mh"), count("cnn", "mc") + (192 * 2 + 2) + 2 * 4);
  EXPECT_EQ(count("fcn", "ml"),
            (40 * 8 * 64 + 3 * 64) + (64 * 5 * 128 + 3 * 128) + (128 * 3 * 256 + 3 * 256) + (256 * 2 + 2));
  EXPECT_EQ(count("lstm", "mc"), 4 * 120 * (40 + 120 + 1) + 4 * 90 * (120 + 90 + 1) + (90 * 4 + 4));
  const std::int64_t attention = 4 * 500 * 2000 + 3 * 2000 + 500, norms = 2 * 1000;
  EXPECT_EQ(count("tr", "mc"),
            (40 * 500 + 500) + 2 * (attention + norms + 500 * 400 + 400 + 400 * 500 + 500) + (500 * 4 + 4));
}

TEST(Classifier, SameSeedSameParameters) {
  const Shape shape{.features = 4, .window = 6};
  const Classifier a("cnn", {}, shape, "mc", 7), b("cnn", {}, shape, "mc", 7), c("cnn", {}, shape, "mc", 8);
  for (std::size_t k = 0; k < a.parameters().size(); ++k)
    EXPECT_TRUE(torch::equal(a.parameters()[k], b.parameters()[k]));
  EXPECT_FALSE(torch::equal(a.parameters()[0], c.parameters()[0]));
}

TEST(Classifier, LossOfBothHeadsIsWeighted) {
  const Outputs outputs{.classes = some({3, 4}), .attributes = some({3, 2})};
  const torch::Tensor labels = torch::tensor({2, 1, 3}, torch::kLong);
  double classes = 0, attributes = 0;
  for (int r = 0; r < 3; ++r) {
    const auto label = labels[r].item<std::int64_t>();
    classes -= outputs.classes[r].log_softmax(0)[label].item<double>() / 3;
    const std::int64_t are[2] = {label / 2, label % 2};
    for (int k = 0; k < 2; ++k) {
      const double p = 1 / (1 + std::exp(-outputs.attributes[r][k].item<double>()));
      attributes -= std::log(are[k] ? p : 1 - p) / 6;
    }
  }
  EXPECT_NEAR(loss(outputs, labels).item<double>(), 0.2 * classes + 0.8 * attributes, 1e-6);
  EXPECT_NEAR(loss({.classes = outputs.classes}, labels).item<double>(), classes, 1e-6);
  EXPECT_NEAR(loss({.attributes = outputs.attributes}, labels).item<double>(), attributes, 1e-6);
}

TEST(Classifier, AttributesNameTheTactic) {
  const Outputs outputs{.attributes = torch::tensor({{-1.f, -2.f}, {-1.f, 2.f}, {1.f, -2.f}, {1.f, 2.f}})};
  EXPECT_TRUE(torch::equal(predictions(outputs), torch::arange(4)));
  EXPECT_TRUE(torch::equal(probabilities(outputs).argmax(1), torch::arange(4)));
}

TEST(Classifier, SetsDoNotDependOnTheOrderOfAgents) {
  Classifier classifier("sets", {}, {.features = 12, .window = 7, .agents = 3}, "mc", 2);
  classifier.eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = some({2, 12, 7}), before = classifier.forward(x).classes;
  const torch::Tensor turned = x.view({2, 4, 3, 7}).roll(1, 2).reshape({2, 12, 7});
  // one convolution's sums are in the same order; the mean of three agents is not
  EXPECT_LT((classifier.forward(turned).classes - before).abs().max().item<double>(), 1e-5);
  EXPECT_GT((classifier.forward(x.roll(1, 1)).classes - before).abs().max().item<double>(), 1e-3);
}

TEST(Classifier, ASequenceIsJudgedByWhatHasBeenSeen) {
  for (const char* model : {"lstm", "tr"}) {
    Classifier classifier(model, small_sizes(), {.features = 4, .window = 6, .is_sequence = true}, "mc", 2);
    classifier.eval();
    const torch::NoGradGuard no_grad;
    torch::Tensor x = some({1, 4, 6});
    const torch::Tensor before = classifier.forward(x).classes.clone();
    x.select(2, 4).add_(1);
    const torch::Tensor after = classifier.forward(x).classes;
    EXPECT_TRUE(torch::equal(before.narrow(1, 0, 4), after.narrow(1, 0, 4))) << model;
    EXPECT_FALSE(torch::equal(before.narrow(1, 4, 2), after.narrow(1, 4, 2))) << model;
  }
}

}  // namespace
}  // namespace frugal::tsc
