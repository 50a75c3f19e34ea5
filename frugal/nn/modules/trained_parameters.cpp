#include "frugal/nn/modules/trained_parameters.h"

namespace frugal {
namespace {
constexpr std::int64_t kAligned = 16;  // floats: parameters begin at multiples of 64 bytes
}

TrainedParameters::TrainedParameters(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  std::int64_t size = 0;
  for (const auto& item : module.named_parameters()) {
    const std::int64_t count = item.value().numel();
    parts_.push_back({item.key(), size, count});
    size += (count + kAligned - 1) / kAligned * kAligned;
    count_ += count;
  }
  values_ = torch::zeros({size});
  for (auto* tensor : {&gradients_, &first_, &second_, &best_}) *tensor = torch::zeros({size});
  std::size_t at = 0;
  for (auto& item : module.named_parameters()) {
    torch::Tensor& parameter = item.value();
    const auto& [name, first, count] = parts_[at++];
    const torch::Tensor place = values_.narrow(0, first, count).view(parameter.sizes());
    place.copy_(parameter);
    parameter.set_data(place);
    parameter.mutable_grad() = gradients_.narrow(0, first, count).view(parameter.sizes());
    parameters_.emplace_back(name, parameter);
  }
  for (const auto& item : module.named_buffers()) {
    buffers_.emplace_back(item.key(), item.value());
    best_buffers_.emplace_back("best." + item.key(), item.value().clone());
  }
  best_.copy_(values_);
}

void TrainedParameters::adam(const AdamOptions& o, std::int64_t t) {
  const torch::NoGradGuard no_grad;
  const auto steps = static_cast<double>(t);
  const double rate = o.lr * std::sqrt(1 - std::pow(o.beta2, steps)) / (1 - std::pow(o.beta1, steps));
  first_.lerp_(gradients_, 1 - o.beta1);
  second_.mul_(o.beta2).addcmul_(gradients_, gradients_, 1 - o.beta2);
  values_.addcdiv_(first_, second_.sqrt().add_(o.eps), -rate);
}

void TrainedParameters::keep_best() {
  const torch::NoGradGuard no_grad;
  best_.copy_(values_);
  for (std::size_t k = 0; k < buffers_.size(); ++k) best_buffers_[k].second.copy_(buffers_[k].second);
}

void TrainedParameters::restore_best() {
  const torch::NoGradGuard no_grad;
  values_.copy_(best_);
  for (std::size_t k = 0; k < buffers_.size(); ++k) buffers_[k].second.copy_(best_buffers_[k].second);
}

void TrainedParameters::visit(const std::function<void(std::string, std::span<std::byte>)>& visit) {
  const auto bytes = [](const torch::Tensor& tensor) {
    return std::span(static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes());
  };
  const std::pair<const char*, const torch::Tensor*> all[] = {
      {"", &values_}, {"adam.first.", &first_}, {"adam.second.", &second_}, {"best.", &best_}};
  for (const auto& [prefix, tensor] : all) {
    for (const Part& part : parts_) visit(prefix + part.name, bytes(tensor->narrow(0, part.first, part.count)));
  }
  for (const auto* buffers : {&buffers_, &best_buffers_}) {
    for (const auto& [name, tensor] : *buffers) visit(name, bytes(tensor));
  }
}

std::vector<std::pair<std::string, torch::Tensor>> TrainedParameters::named() const {
  auto all = parameters_;
  all.insert(all.end(), buffers_.begin(), buffers_.end());
  return all;
}

}  // namespace frugal
