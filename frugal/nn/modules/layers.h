// Layers that several small networks share. B: batch, C: channels, L: length (time), D: width of a vector.
//
// Sizes, padding and constants are Keras's where LibTorch's differ, since the published networks were trained so.
#pragma once
#include <memory>

#include "frugal/nn/modules/initialise.h"
#include "frugal/nn/modules/torch_nn.h"

namespace frugal {

// Where the random numbers of a training step lie; shared by the layers of a network, moved on by who trains it.
struct StepNoise {
  std::uint64_t seed = 0, step = 0;
  std::uint32_t layers = 0;  // that draw from it
};

// Zeroes a share p of its input while training, from Philox: a step that is taken again draws the same.
class DropoutImpl : public torch::nn::Module {
 public:
  // across: a dimension along which one mask serves all, -1: none (recurrent layers take one mask for all steps).
  DropoutImpl(double p, std::shared_ptr<StepNoise> noise, std::int64_t across = -1);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  double p_;
  std::shared_ptr<StepNoise> noise_;
  std::int64_t across_;
  std::uint32_t id_;
};
TORCH_MODULE(Dropout);

// [B, C, L] -> [B, C, ceil(L / 2)]: the maximum of `size` neighbours, every second one kept. Padding 'same' of Keras:
// max(0, 2 (ceil(L / 2) - 1) + size - L) in all, the smaller half before; padded places never win.
torch::Tensor max_pool_same(const torch::Tensor& x, std::int64_t size);

// A convolution along L that keeps L: [B, C, L] -> [B, C', L], padded with zeros, the smaller half of kernel - 1
// before.
class SameConvImpl : public torch::nn::Module {
 public:
  SameConvImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Initialiser& initial);  // He's first values
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;  // [C', C, kernel], [C']
};
TORCH_MODULE(SameConv);

torch::nn::Linear dense(std::int64_t in, std::int64_t out, Initialiser& initial);
// Over channels of [B, C, L]: eps 1e-3, running means that keep 0.99 a batch.
torch::nn::BatchNorm1d batch_norm(std::int64_t channels);
torch::nn::LayerNorm layer_norm(std::int64_t width);  // of the last dimension, eps 1e-3

// Vaswani et al., arXiv:1706.03762, section 3.5, with all sines before all cosines: [L, D], D even.
torch::Tensor sinusoidal_code(std::int64_t length, std::int64_t width);

// Multi-head attention of a sequence to itself, [B, L, D] -> [B, L, D]; keys, queries and values of each head have the
// width D, as Keras has it with key_dim = D (LibTorch's own splits D over the heads).
class WideAttentionImpl : public torch::nn::Module {
 public:
  // is_causal: a step sees itself and those before it.
  WideAttentionImpl(std::int64_t width, std::int64_t heads, bool is_causal, Initialiser& initial);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t width_, heads_;
  bool is_causal_;
  torch::nn::Linear in_{nullptr}, out_{nullptr};
};
TORCH_MODULE(WideAttention);

// One LSTM layer, [B, L, D] -> [B, L, H]. One bias a gate (1 for the forget gate at first), orthogonal recurrent
// weights. Steps whose inputs are all zero leave state and output as they were, as Keras's Masking has it.
class MaskedLstmImpl : public torch::nn::Module {
 public:
  MaskedLstmImpl(std::int64_t in, std::int64_t hidden, Initialiser& initial);
  // mask: [B, L], false where a step is left out; undefined: none is.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& mask = {});

 private:
  std::int64_t hidden_;
  torch::Tensor input_, recurrent_, bias_, no_bias_;  // [4 H, D], [4 H, H], [4 H]: input, forget, cell, output gate
};
TORCH_MODULE(MaskedLstm);

}  // namespace frugal
