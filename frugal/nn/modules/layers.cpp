#include "frugal/nn/modules/layers.h"

namespace frugal {

DropoutImpl::DropoutImpl(double p, std::shared_ptr<StepNoise> noise, std::int64_t across)
    : p_(p), noise_(std::move(noise)), across_(across), id_(noise_->layers++) {}

torch::Tensor DropoutImpl::forward(const torch::Tensor& x) {
  if (!is_training() || p_ == 0) return x;
  auto shape = x.sizes().vec();
  if (across_ >= 0) shape[static_cast<std::size_t>(across_)] = 1;
  return x * random_mask(
                 shape, 1 - p_,
                 {.seed = noise_->seed, .stream = named_stream("modules.dropout"), .id = id_, .step = noise_->step});
}

torch::Tensor max_pool_same(const torch::Tensor& x, std::int64_t size) {
  const std::int64_t length = x.size(2), kept = (length + 1) / 2;
  const std::int64_t padding = std::max<std::int64_t>(0, 2 * (kept - 1) + size - length), before = padding / 2;
  if (2 * before == padding && before <= size / 2) return torch::max_pool1d(x, size, 2, before);
  return torch::max_pool1d(torch::constant_pad_nd(x, {before, padding - before}, -INFINITY), size, 2);
}

SameConvImpl::SameConvImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, Initialiser& initial) {
  weight = register_parameter("weight", torch::empty({out, in, kernel}));
  bias = register_parameter("bias", torch::zeros({out}));
  initial.he_normal(weight);
}

torch::Tensor SameConvImpl::forward(const torch::Tensor& x) {
  const std::int64_t kernel = weight.size(2), before = (kernel - 1) / 2;
  if (kernel % 2 == 1) return torch::conv1d(x, weight, bias, 1, before);
  return torch::conv1d(torch::constant_pad_nd(x, {before, before + 1}), weight, bias);
}

torch::nn::Linear dense(std::int64_t in, std::int64_t out, Initialiser& initial) {
  torch::nn::Linear linear(in, out);
  initial.he_normal_and_zeros(linear);
  return linear;
}

torch::nn::BatchNorm1d batch_norm(std::int64_t channels) {
  return torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(channels).eps(1e-3).momentum(0.01));
}

torch::nn::LayerNorm layer_norm(std::int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(1e-3));
}

torch::Tensor sinusoidal_code(std::int64_t length, std::int64_t width) {
  const std::int64_t half = width / 2;
  const torch::Tensor rate = torch::pow(10000.0, -torch::arange(half, torch::kDouble) / static_cast<double>(half));
  const torch::Tensor angle = torch::arange(length, torch::kDouble).unsqueeze(1) * rate;
  return torch::cat({angle.sin(), angle.cos()}, 1).to(torch::kFloat);
}

WideAttentionImpl::WideAttentionImpl(std::int64_t width, std::int64_t heads, bool is_causal, Initialiser& initial)
    : width_(width), heads_(heads), is_causal_(is_causal) {
  in_ = register_module("in", dense(width, 3 * heads * width, initial));
  out_ = register_module("out", dense(heads * width, width, initial));
}

torch::Tensor WideAttentionImpl::forward(const torch::Tensor& x) {
  const std::int64_t batch = x.size(0), length = x.size(1);
  const torch::Tensor all = in_(x).view({batch, length, 3, heads_, width_}).permute({2, 0, 3, 1, 4});
  const torch::Tensor q = all[0] / std::sqrt(static_cast<double>(width_)), k = all[1], v = all[2];  // [B, heads, L, D]
  torch::Tensor scores = torch::matmul(q, k.transpose(2, 3));
  if (is_causal_) {
    const torch::Tensor later = torch::ones({length, length}, torch::kBool).triu(1);
    scores = scores.masked_fill(later, -INFINITY);
  }
  return out_(torch::matmul(scores.softmax(3), v).transpose(1, 2).reshape({batch, length, heads_ * width_}));
}

MaskedLstmImpl::MaskedLstmImpl(std::int64_t in, std::int64_t hidden, Initialiser& initial) : hidden_(hidden) {
  input_ = register_parameter("input", torch::empty({4 * hidden, in}));
  recurrent_ = register_parameter("recurrent", torch::empty({4 * hidden, hidden}));
  bias_ = register_parameter("bias", torch::zeros({4 * hidden}));
  no_bias_ = torch::zeros({4 * hidden});
  initial.he_normal(input_);
  initial.orthogonal(recurrent_);
  const torch::NoGradGuard no_grad;
  bias_.narrow(0, hidden, hidden).fill_(1);
}

torch::Tensor MaskedLstmImpl::forward(const torch::Tensor& x, const torch::Tensor& mask) {
  const std::int64_t batch = x.size(0), length = x.size(1);
  torch::Tensor h = torch::zeros({batch, hidden_}), c = h;
  if (!mask.defined()) {
    return std::get<0>(torch::lstm(x, {h.unsqueeze(0), c.unsqueeze(0)}, {input_, recurrent_, bias_, no_bias_}, true, 1,
                                   0, is_training(), false, true));
  }
  std::vector<torch::Tensor> outputs;
  const torch::Tensor from_input = torch::matmul(x, input_.t()) + bias_;
  for (std::int64_t t = 0; t < length; ++t) {
    const auto gates = (from_input.select(1, t) + torch::matmul(h, recurrent_.t())).chunk(4, 1);
    const torch::Tensor next_c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
    const torch::Tensor next_h = gates[3].sigmoid() * next_c.tanh(), is_seen = mask.select(1, t).unsqueeze(1);
    c = torch::where(is_seen, next_c, c), h = torch::where(is_seen, next_h, h);
    outputs.push_back(h);
  }
  return torch::stack(outputs, 1);
}

}  // namespace frugal
