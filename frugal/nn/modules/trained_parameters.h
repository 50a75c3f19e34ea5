// The parameters of a small network in one piece of memory, with Adam's moments and a copy of the best ones: one update
// for all of them, and bytes with names for snapshots.
#pragma once
#include <functional>
#include <string>

#include "frugal/base/named_bytes.h"
#include "frugal/nn/modules/torch_nn.h"

namespace frugal {

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-7;
};

class TrainedParameters {
 public:
  // From now on the parameters of `module` (float, on the CPU) are parts of one tensor, their gradients of another. Not
  // to be added to afterwards.
  explicit TrainedParameters(torch::nn::Module& module);

  std::int64_t count() const { return count_; }  // of numbers in parameters
  void clear_gradients() { gradients_.zero_(); }
  // Kingma and Ba, arXiv:1412.6980, in the form of the end of its section 2, as Keras has it:
  // w <- w - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps). t: 1, 2, ...
  void adam(const AdamOptions& options, std::int64_t t);

  void keep_best();     // copies parameters and buffers
  void restore_best();  // and back

  // All of it by name: parameters and buffers, "adam.first.", "adam.second." and "best." before the names of theirs.
  void visit(const std::function<void(std::string name, std::span<std::byte> part)>& visit);
  // Parameters and buffers alone, as (name, tensor).
  std::vector<std::pair<std::string, torch::Tensor>> named() const;

 private:
  struct Part {
    std::string name;
    std::int64_t first, count;
  };
  std::vector<Part> parts_;
  std::vector<std::pair<std::string, torch::Tensor>> buffers_, best_buffers_, parameters_;
  torch::Tensor values_, gradients_, first_, second_, best_;
  std::int64_t count_ = 0;
};

}  // namespace frugal
