// Time-series classifiers of the paper (arXiv:2403.19572, section III): trunks and three kinds of heads.
// B: batch, F: features, W: steps of the window, D: width of the trunk.
#pragma once
#include "frugal/nn/modules/layers.h"
#include "frugal/nn/modules/torch_nn.h"
#include "frugal/signals/swarm/config.h"

namespace frugal::tsc {

struct Shape {
  std::int64_t features = 0, window = 0;
  bool is_sequence = false;  // a prediction for each step
  std::int64_t agents = 1;   // whose features these are, feature by feature
};

// [B, F, W] -> [B, D], or [B, W, D] of a sequence.
class Trunk : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
  std::int64_t width() const { return width_; }

 protected:
  std::int64_t width_ = 0;
};

// model: a name of models(). Dropout draws from `noise`.
std::shared_ptr<Trunk> make_trunk(const std::string& model, const ModelConfig& sizes, const Shape& shape,
                                  Initialiser& initial, const std::shared_ptr<StepNoise>& noise);

struct Outputs {
  torch::Tensor classes;     // [B, 4] or [B, W, 4], logits of tactics; undefined of `ml`
  torch::Tensor attributes;  // [B, 2] or [B, W, 2], logits of (communicates, leads); undefined of `mc`
};

class Classifier : public torch::nn::Module {
 public:
  // output: mc, ml or mh.
  Classifier(const std::string& model, const ModelConfig& sizes, const Shape& shape, const std::string& output,
             std::uint64_t seed);
  Outputs forward(const torch::Tensor& x);
  void at_step(std::uint64_t step) { noise_->step = step; }  // whose random numbers are drawn

 private:
  std::shared_ptr<StepNoise> noise_;
  std::shared_ptr<Trunk> trunk_;
  torch::nn::Linear attributes_{nullptr}, classes_{nullptr};
  bool are_both_ = false;
};

// Cross-entropy of classes, mean binary cross-entropy of attributes, or 0.2 and 0.8 of them. labels: [B] int64; of a
// sequence they hold for each step.
torch::Tensor loss(const Outputs& outputs, const torch::Tensor& labels);

// [B] or [B, W] int64: the likeliest tactic, or that of the attributes where there are only those.
torch::Tensor predictions(const Outputs& outputs);
// [B, 4] or [B, W, 4]: probabilities of the tactics.
torch::Tensor probabilities(const Outputs& outputs);

}  // namespace frugal::tsc
