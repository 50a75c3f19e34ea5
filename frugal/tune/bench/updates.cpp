// BAdam's updates against the same arithmetic as PyTorch has it, in one run: AdamW on a block in one pass against
// torch.optim.AdamW, one operation after the other and fused; a share of a tensor through views against the sparse COO
// gradients and updates of badam 1.4. One thread, the arms in turns; that all end with the same weights is checked. One
// line of JSON a comparison. usage: bench_updates [NUMBERS]
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sparse_coo_tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>

#include "frugal/base/error.h"
#include "frugal/base/philox.h"
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

// One step of PyTorch's, whatever its arm.
struct Theirs {
  at::Tensor weights, gradient, m, v;
  std::int64_t steps = 0;

  // torch.optim.AdamW with foreach and fused off, no decay (its _single_tensor_adam).
  void one_by_one() {
    ++steps;
    const double correction1 = 1 - std::pow(kBeta1, steps), correction2 = 1 - std::pow(kBeta2, steps);
    m.lerp_(gradient, 1 - kBeta1);
    v.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    weights.addcdiv_(m, v.sqrt().div_(std::sqrt(correction2)).add_(kEps), -kLr / correction1);
  }
  void fused() {
    ++steps;
    at::_fused_adamw_({weights}, {gradient}, {m}, {v}, {}, {at::full({}, static_cast<double>(steps))}, kLr, kBeta1,
                      kBeta2, 0, kEps, false, false);
  }
  // badam 1.4, _sparse_adam: the gradient and the update are sparse, the moments [count] dense. It adds eps before the
  // correction of the second moment.
  void sparse(const at::Tensor& mask) {
    ++steps;
    const at::Tensor of_share = gradient.sparse_mask(mask).coalesce(), g = of_share.values();
    m.add_(g.sub(m).mul_(1 - kBeta1));
    v.add_(g.pow(2).sub_(v).mul_(1 - kBeta2));
    const at::Tensor numerator = m.clone(), denominator = v.clone().sqrt_().add_(kEps);
    const double rate = kLr * std::sqrt(1 - std::pow(kBeta2, steps)) / (1 - std::pow(kBeta1, steps));
    weights.add_(at::sparse_coo_tensor(of_share.indices(), numerator.div_(denominator).mul_(-rate), mask.sizes()));
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

// Of either sign, none so small that it matters where eps is added.
at::Tensor numbers(std::int64_t size) {
  const at::Tensor values = at::zeros({size});
  PhiloxSequence random(1, Stream::initial);
  float* const to = values.data_ptr<float>();
  for (std::int64_t i = 0; i < size; ++i)
    to[i] = static_cast<float>((random.below(2) == 0 ? 0.5 : -1) + random.uniform() / 2);
  return values;
}

void compare(const std::string& what, std::int64_t size, WeightType type, const std::optional<Window>& window) {
  Threads team(1, single_threaded_torch);
  OneTensor tensor(size, type, window);
  FirstOrderConfig config;
  config.update = "master";  // of bf16 weights
  Optimizer ours(tensor, {0}, team, config, 1);
  const at::Tensor gradient = numbers(size), narrow = at::zeros({size}).to(at::kBFloat16);
  const std::int64_t trained = window ? window->count : size;
  const auto theirs = [&] { return Theirs{at::zeros({size}), gradient, at::zeros({trained}), at::zeros({trained})}; };
  Theirs plain = theirs(), fused = theirs();
  const auto written = [&](const Theirs& arm) {
    if (type == WeightType::bf16) narrow.copy_(arm.weights);
  };
  std::uint64_t step = 0;
  std::vector<std::function<void()>> arms = {[&] {
    ours.begin_step(step++, kLr);
    ours.update(0, gradient.data_ptr<float>(), 1);
  }};
  at::Tensor mask = at::zeros({size});
  if (window) {
    mask.narrow(0, window->first, window->count).fill_(1);
    mask = mask.to_sparse().coalesce();
    arms.emplace_back([&] { plain.sparse(mask); });
  } else {
    arms.emplace_back([&] { plain.one_by_one(), written(plain); });
    arms.emplace_back([&] { fused.fused(), written(fused); });
  }
  const auto seconds = medians(arms);

  const auto* const values = reinterpret_cast<const float*>(tensor.values(0));
  const float *const master = ours.master(0), *const found = master == nullptr ? values : master;
  double apart = 0;
  for (const Theirs* arm : {&plain, &fused}) {
    if (arm->steps == 0) continue;
    for (std::int64_t i = 0; i < size; ++i)
      apart = std::max(apart, std::abs(static_cast<double>(found[i]) - arm->weights.data_ptr<float>()[i]));
  }
  if (!(apart < 1e-3 * kLr * static_cast<double>(step))) {
    throw Error(Exit::internal,
                "weights are " + std::to_string(apart) + " apart after " + std::to_string(step) + " steps",
                "report this");
  }
  Json line = {{"what", what},
               {"numbers", size},
               {"trained", trained},
               {"ours_ms", 1e3 * seconds[0]},
               {"theirs_ms", 1e3 * seconds[1]},
               {"theirs_over_ours", seconds[1] / seconds[0]}};
  if (seconds.size() > 2) line.update({{"fused_ms", 1e3 * seconds[2]}, {"fused_over_ours", seconds[2] / seconds[0]}});
  std::cout << line.dump() << std::endl;
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
