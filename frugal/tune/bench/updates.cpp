// BAdam's updates against the same arithmetic as PyTorch code writes it, in one run: AdamW on a block in one pass
// against one tensor operation after the other; a share of a tensor through views against sparse COO tensors, as the
// published code keeps it. One thread, the arms in turns. One line of JSON a comparison. usage: bench_updates [NUMBERS]
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sparse_coo_tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>

#include "frugal/core/products.h"
#include "frugal/train/first_order/optimizer.h"

namespace frugal {
namespace {

constexpr double kLr = 1e-4, kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;

// A tensor of `size` numbers, of which a window may be all that is trained.
class OneTensor : public Parametrisation {
 public:
  OneTensor(std::int64_t size, WeightType type, std::optional<Window> window)
      : bytes_(static_cast<std::size_t>(size) * (type == WeightType::f32 ? 4 : 2)) {
    Parameter p;
    p.name = "block";
    p.type = type;
    p.count = window ? window->count : size;
    p.window = std::move(window);
    parameters_.push_back(std::move(p));
  }
  const WeightView& view() const override { throw std::logic_error("a tensor alone has no model"); }
  std::byte* values(std::size_t) override { return bytes_.data(); }
  std::vector<NamedBytes> state() override { return {}; }
  void restart() override {}
  void merged_rows(std::size_t, std::int64_t, std::int64_t, float*) const override {}

 private:
  Buffer bytes_;
};

// The formula of torch.optim.AdamW without foreach or fused, on moments of the gradient's layout; the change of p / lr.
struct Moments {
  at::Tensor m, v;
  std::int64_t steps = 0;
  at::Tensor step(const at::Tensor& g) {
    ++steps;
    m.mul_(kBeta1).add_(g, 1 - kBeta1);
    v.mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
    const double correction1 = 1 - std::pow(kBeta1, steps), correction2 = 1 - std::pow(kBeta2, steps);
    return m.div(v.sqrt().div_(std::sqrt(correction2)).add_(kEps).mul_(correction1));
  }
};

// Median seconds of each arm over rounds in which they take turns; the first round is not counted.
std::vector<double> medians(const std::vector<std::function<void()>>& arms) {
  constexpr int kRounds = 9;
  std::vector<std::vector<double>> seconds(arms.size());
  for (int round = 0; round <= kRounds; ++round) {
    for (std::size_t arm = 0; arm < arms.size(); ++arm) {
      const auto begin = std::chrono::steady_clock::now();
      arms[arm]();
      if (round > 0)
        seconds[arm].push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  std::vector<double> result;
  for (auto& all : seconds) {
    std::nth_element(all.begin(), all.begin() + kRounds / 2, all.end());
    result.push_back(all[kRounds / 2]);
  }
  return result;
}

void compare(const std::string& what, std::int64_t size, WeightType type, std::optional<Window> window) {
  Threads team(1, single_threaded_torch);
  OneTensor tensor(size, type, window);
  Optimizer ours(tensor, {0}, team, {.has_master = type == WeightType::bf16});
  const at::Tensor gradient = at::randn({size}), weights = at::zeros({size}), narrow = weights.to(at::kBFloat16);
  std::uint64_t step = 0;
  Moments moments;
  std::function<void()> theirs;
  if (window) {
    const at::Tensor mask = at::zeros({size});
    mask.narrow(0, window->first, window->count).fill_(1);
    const at::Tensor sparse = mask.to_sparse().coalesce();
    moments = {sparse.mul(0).coalesce(), sparse.mul(0).coalesce()};
    theirs = [&, sparse] {
      const at::Tensor g = gradient.sparse_mask(sparse);
      ++moments.steps;
      moments.m = moments.m.mul(kBeta1).add(g, 1 - kBeta1).coalesce();
      moments.v = moments.v.mul(kBeta2).add(g.mul(g), 1 - kBeta2).coalesce();
      const double correction1 = 1 - std::pow(kBeta1, moments.steps), correction2 = 1 - std::pow(kBeta2, moments.steps);
      const at::Tensor change =
          moments.m.values().div(moments.v.values().sqrt().div_(std::sqrt(correction2)).add_(kEps).mul_(correction1));
      weights.add_(at::sparse_coo_tensor(sparse.indices(), change, {size}), -kLr);
    };
  } else {
    moments = {at::zeros({size}), at::zeros({size})};
    theirs = [&] {
      weights.add_(moments.step(gradient), -kLr);
      if (type == WeightType::bf16) narrow.copy_(weights);
    };
  }
  const auto seconds = medians({[&] {
                                  ours.begin_step(step++, kLr);
                                  ours.update(0, gradient.data_ptr<float>(), 1);
                                },
                                theirs});
  std::cout << Json{{"what", what},
                    {"numbers", size},
                    {"trained", window ? window->count : size},
                    {"ours_ms", 1e3 * seconds[0]},
                    {"theirs_ms", 1e3 * seconds[1]},
                    {"theirs_over_ours", seconds[1] / seconds[0]}}
                   .dump()
            << std::endl;
}

}  // namespace
}  // namespace frugal

int main(int count, char** arguments) {
  using namespace frugal;
  const c10::InferenceMode guard;
  single_threaded_torch();
  const std::int64_t size = count > 1 ? std::stoll(arguments[1]) : 10'000'000, share = size / 10;
  compare("AdamW, fp32 weights", size, WeightType::f32, {});
  compare("AdamW, bf16 weights with an fp32 master copy", size, WeightType::bf16, {});
  compare("a tenth, adjacent, fp32 weights", size, WeightType::f32,
          Window{.size = size, .first = size / 3, .count = share, .gradients = size});
  return 0;
}
