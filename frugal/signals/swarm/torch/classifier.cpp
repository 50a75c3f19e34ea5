#include "frugal/signals/swarm/torch/classifier.h"

namespace frugal::tsc {
namespace {

// [B] -> [B, 2] or, as `like`, [B, W, 2]: (communicates, leads) of each label.
torch::Tensor attributes_of(const torch::Tensor& labels, const torch::Tensor& like) {
  const torch::Tensor both = torch::stack({labels.div(2, "floor"), labels.remainder(2)}, 1).to(torch::kFloat);
  return like.dim() == 3 ? both.unsqueeze(1).expand_as(like) : both;
}

}  // namespace

Classifier::Classifier(const std::string& model, const ModelConfig& sizes, const Shape& shape,
                       const std::string& output, std::uint64_t seed)
    : noise_(std::make_shared<StepNoise>(StepNoise{.seed = seed})), are_both_(output == "mh") {
  Initialiser initial(seed);
  trunk_ = register_module("trunk", make_trunk(model, sizes, shape, initial, noise_));
  if (output != "mc") attributes_ = register_module("attributes", dense(trunk_->width(), 2, initial));
  if (output != "ml")
    classes_ = register_module("classes", dense(trunk_->width() + (are_both_ ? 2 : 0), swarm::kTactics, initial));
}

Outputs Classifier::forward(const torch::Tensor& x) {
  const torch::Tensor h = trunk_->forward(x);
  Outputs outputs;
  if (attributes_) outputs.attributes = attributes_(h);
  if (classes_) outputs.classes = classes_(are_both_ ? torch::cat({h, outputs.attributes.sigmoid()}, -1) : h);
  return outputs;
}

torch::Tensor loss(const Outputs& outputs, const torch::Tensor& labels) {
  torch::Tensor of_classes, of_attributes;
  if (outputs.classes.defined()) {
    const torch::Tensor& logits = outputs.classes;
    const torch::Tensor each = logits.dim() == 3 ? labels.repeat_interleave(logits.size(1)) : labels;
    of_classes = torch::cross_entropy_loss(logits.reshape({-1, swarm::kTactics}), each);
  }
  if (outputs.attributes.defined()) {
    of_attributes =
        torch::binary_cross_entropy_with_logits(outputs.attributes, attributes_of(labels, outputs.attributes));
  }
  if (!of_attributes.defined()) return of_classes;
  return of_classes.defined() ? 0.2 * of_classes + 0.8 * of_attributes : of_attributes;
}

torch::Tensor predictions(const Outputs& outputs) {
  if (outputs.classes.defined()) return outputs.classes.argmax(-1);
  const torch::Tensor is_there = outputs.attributes.gt(0).to(torch::kLong);
  return is_there.select(-1, 0) * 2 + is_there.select(-1, 1);
}

torch::Tensor probabilities(const Outputs& outputs) {
  if (outputs.classes.defined()) return outputs.classes.softmax(-1);
  const torch::Tensor p = outputs.attributes.sigmoid(), q = 1 - p;  // as if they were independent
  const auto of = [](const torch::Tensor& each, std::int64_t k) { return each.select(-1, k); };
  return torch::stack({of(q, 0) * of(q, 1), of(q, 0) * of(p, 1), of(p, 0) * of(q, 1), of(p, 0) * of(p, 1)}, -1);
}

}  // namespace frugal::tsc
