#include "frugal/nn/modules/initialise.h"

namespace frugal {

void Initialiser::he_normal(torch::Tensor weight) {
  const torch::NoGradGuard no_grad;
  const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
  constexpr double kCut = 0.87962566103423978;  // standard deviation of N(0, 1) truncated at +-2
  weight.copy_(random_truncated_normal(weight.sizes().vec(), 2, next()).mul_(std::sqrt(2 / fan_in) / kCut));
}

void Initialiser::glorot_uniform(torch::Tensor weight) {
  const torch::NoGradGuard no_grad;
  const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
  const auto fan_out = static_cast<double>(weight.numel() / weight.size(1));
  const double limit = std::sqrt(6 / (fan_in + fan_out));
  weight.copy_(random_uniform(weight.sizes().vec(), next()).mul_(2 * limit).sub_(limit));
}

void Initialiser::orthogonal(torch::Tensor weight) {
  const torch::NoGradGuard no_grad;
  const bool is_wide = weight.size(0) < weight.size(1);
  const std::int64_t tall = weight.size(is_wide ? 1 : 0), narrow = weight.size(is_wide ? 0 : 1);
  const auto [q, r] = torch::linalg_qr(random_normal({tall, narrow}, next()));
  const torch::Tensor signed_q = q * r.diagonal().sign();  // else the distribution is not uniform
  weight.copy_(is_wide ? signed_q.t() : signed_q);
}

void Initialiser::zeros(torch::Tensor bias) {
  const torch::NoGradGuard no_grad;
  bias.zero_();
}

}  // namespace frugal
