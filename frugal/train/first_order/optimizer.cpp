#include "frugal/train/first_order/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/optimizers.h"

namespace frugal {
namespace {

using kernels::Bf16;
constexpr std::size_t kHeader = 16;      // floats
constexpr std::int64_t kTile = 1 << 16;  // numbers of one work item

// Brings numbers that lie apart together, a block at a time, and takes them back after run(weights, gradients, begin,
// end).
template <class Run>
void run_scattered(const Window& window, std::byte* weights, std::int64_t size, const float* gradient,
                   std::int64_t begin, std::int64_t end, const Run& run) {
  constexpr std::int64_t kBlock = 1024;
  std::array<std::int64_t, kBlock> at;
  std::array<float, kBlock> g;
  alignas(64) std::array<std::byte, kBlock * sizeof(float)> w;
  for (; begin < end; begin += kBlock) {
    const std::int64_t n = std::min(kBlock, end - begin);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto place = static_cast<std::size_t>(i);
      at[place] = window.entry(begin + i);
      g[place] = gradient[window.gradient_of(at[place])];
      std::memcpy(w.data() + i * size, weights + at[place] * size, static_cast<std::size_t>(size));
    }
    run(w.data(), g.data(), begin, begin + n);
    for (std::int64_t i = 0; i < n; ++i)
      std::memcpy(weights + at[static_cast<std::size_t>(i)] * size, w.data() + i * size,
                  static_cast<std::size_t>(size));
  }
}

}  // namespace

Optimizer::Optimizer(Parametrisation& what, const std::vector<std::size_t>& active, Threads& threads,
                     const FirstOrderConfig& config, std::uint64_t seed)
    : what_(what), threads_(threads), config_(config), seed_(seed), places_(what.parameters().size()) {
  std::size_t end = kHeader;
  for (const std::size_t i : active) {
    const Parameter& p = what.parameters()[i];
    const auto n = static_cast<std::size_t>(p.count);
    const auto take = [&] { return std::exchange(end, end + n); };
    places_[i].m = take();
    if (config_.optimizer == "adamw") places_[i].v = take();
    if (config_.update == "master" && p.type == WeightType::bf16) places_[i].master = take();
  }
  memory_ = Buffer(end * sizeof(float));
  for (const std::size_t i : active) {
    const Parameter& p = what.parameters()[i];
    if (places_[i].master == 0) continue;
    const auto* weights = reinterpret_cast<const Bf16*>(what.values(i));
    float* master = at(places_[i].master);
    if (!p.window) {
      kernels::to_float(weights, master, static_cast<std::size_t>(p.count));
      continue;
    }
    p.window->each_run(0, p.count, [&](std::int64_t first, std::int64_t entry, std::int64_t n) {
      kernels::to_float(weights + entry, master + first, static_cast<std::size_t>(n));
    });
  }
}

void Optimizer::begin_step(std::uint64_t step, double lr) {
  ++*memory_.as<std::uint64_t>();
  step_ = step;
  lr_ = lr;
}

void Optimizer::update(std::size_t parameter, const float* gradient, float scale) {
  const Parameter& p = what_.parameters()[parameter];
  const Place place = places_[parameter];
  const auto taken = static_cast<double>(*memory_.as<std::uint64_t>());
  const auto decay = static_cast<float>(p.decays ? config_.step.weight_decay : 0);
  // AdamW: m and v, the moments of g, are taken divided by 1 - beta^t, t the steps taken; then
  // w <- w - lr (m / (sqrt(v) + eps) + decay w). SGD: m <- momentum m + g, w <- w - lr (m + decay w).
  const kernels::AdamW adamw{.lr = static_cast<float>(lr_),
                             .eps = static_cast<float>(config_.adam_epsilon),
                             .weight_decay = decay,
                             .beta1 = config_.adam_beta1,
                             .beta2 = config_.adam_beta2,
                             .correction1 = 1 - std::pow(config_.adam_beta1, taken),
                             .correction2 = 1 - std::pow(config_.adam_beta2, taken),
                             .gradient_scale = scale};
  const kernels::SgdMomentum sgd{.lr = static_cast<float>(lr_),
                                 .momentum = static_cast<float>(config_.momentum),
                                 .weight_decay = decay,
                                 .gradient_scale = scale};
  const std::uint64_t key = philox_key(seed_, step_, kRoundingSample);
  // Numbers [begin, end) of the parameter, from where their weights and gradients lie.
  const auto run = [&](std::byte* weights, const float* g, std::int64_t begin, std::int64_t end) {
    const auto n = static_cast<std::size_t>(end - begin);
    float* m = at(place.m) + begin;
    if (p.type == WeightType::f32) {
      auto* w = reinterpret_cast<float*>(weights);
      if (place.v != 0)
        kernels::adamw(w, g, m, at(place.v) + begin, n, adamw);
      else
        kernels::sgd_momentum(w, g, m, n, sgd);
      return;
    }
    auto* w = reinterpret_cast<Bf16*>(weights);
    const kernels::Bf16Write write{.master = place.master == 0 ? nullptr : at(place.master) + begin,
                                   .key = key,
                                   .tensor = static_cast<std::uint32_t>(p.id),
                                   .first = static_cast<std::uint64_t>(begin)};
    if (place.v != 0)
      kernels::adamw(w, g, m, at(place.v) + begin, n, adamw, write);
    else
      kernels::sgd_momentum(w, g, m, n, sgd, write);
  };
  const std::int64_t size = p.type == WeightType::f32 ? 4 : 2;
  std::byte* all = what_.values(parameter);
  threads_.run((p.count + kTile - 1) / kTile, [&](std::int64_t item, int) {
    const std::int64_t begin = item * kTile, end = std::min(p.count, begin + kTile);
    if (!p.window) return run(all + begin * size, gradient + begin, begin, end);
    if (p.window->order) return run_scattered(*p.window, all, size, gradient, begin, end, run);
    p.window->each_run(begin, end, [&](std::int64_t first, std::int64_t entry, std::int64_t n) {
      run(all + entry * size, gradient + p.window->gradient_of(entry), first, first + n);
    });
  });
}

}  // namespace frugal
