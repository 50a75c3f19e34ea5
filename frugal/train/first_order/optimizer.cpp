#include "frugal/train/first_order/optimizer.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/optimizers.h"

namespace frugal {
namespace {

using kernels::Bf16;
constexpr std::size_t kHeader = 16;                    // floats
constexpr std::int64_t kTile = 1 << 16;                // numbers of one work item
constexpr std::uint32_t kRoundingSample = 0xfffffffe;  // beside the samples of a zeroth-order step

}  // namespace

Optimizer::Optimizer(Parametrisation& what, const std::vector<std::size_t>& active, Threads& threads,
                     OptimizerOptions options)
    : what_(what), threads_(threads), options_(std::move(options)), places_(what.parameters().size()) {
  std::size_t end = kHeader;
  for (const std::size_t i : active) {
    const Parameter& p = what.parameters()[i];
    const auto n = static_cast<std::size_t>(p.count);
    const auto take = [&] { return std::exchange(end, end + n); };
    places_[i].m = take();
    if (options_.name == "adamw") places_[i].v = take();
    if (options_.has_master && p.type == WeightType::bf16) places_[i].master = take();
  }
  memory_ = Buffer(end * sizeof(float));
  for (const std::size_t i : active) {
    const Parameter& p = what.parameters()[i];
    if (places_[i].master == 0) continue;
    kernels::to_float(reinterpret_cast<const Bf16*>(what.values(i)), at(places_[i].master),
                      static_cast<std::size_t>(p.count));
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
  const auto decay = static_cast<float>(p.decays ? options_.weight_decay : 0);
  const kernels::AdamW adamw{.lr = static_cast<float>(lr_),
                             .eps = static_cast<float>(options_.eps),
                             .weight_decay = decay,
                             .beta1 = options_.beta1,
                             .beta2 = options_.beta2,
                             .correction1 = 1 - std::pow(options_.beta1, taken),
                             .correction2 = 1 - std::pow(options_.beta2, taken),
                             .gradient_scale = scale};
  const kernels::SgdMomentum sgd{.lr = static_cast<float>(lr_),
                                 .momentum = static_cast<float>(options_.momentum),
                                 .weight_decay = decay,
                                 .gradient_scale = scale};
  const std::uint64_t key = philox_key(options_.seed, step_, kRoundingSample);
  const auto run = [&](std::byte* weights, std::int64_t begin, std::int64_t end) {
    const auto n = static_cast<std::size_t>(end - begin);
    const float* g = gradient + begin;
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
    run(all + begin * size, begin, end);
  });
}

}  // namespace frugal
