#include "frugal/train/first_order/residuals.h"

#include <algorithm>
#include <cmath>

namespace frugal {

Residuals::Residuals(Parametrisation& what, Threads& threads) : what_(what), threads_(threads) {
  std::size_t values = 0, scales = 0;
  for (const Parameter& p : what.parameters()) {
    places_.push_back({values, scales});
    if (p.type != WeightType::bf16) continue;
    values += static_cast<std::size_t>(p.count);
    scales += static_cast<std::size_t>(p.count / p.cols);
  }
  values_ = Buffer(values);
  scales_ = Buffer(scales * sizeof(float));
}

void Residuals::keep(std::size_t parameter, const float* master) {
  const Parameter& p = what_.parameters()[parameter];
  const auto* weights = reinterpret_cast<const kernels::Bf16*>(what_.values(parameter));
  auto* kept = values_.as<std::int8_t>(places_[parameter].values);
  float* scales = scales_.as<float>(places_[parameter].scales);
  threads_.run(p.count / p.cols, [&](std::int64_t row, int) {
    const auto n = static_cast<std::size_t>(p.cols);
    std::vector<float> lost(n);
    kernels::to_float(weights + row * p.cols, lost.data(), n);
    float most = 0;
    for (std::size_t j = 0; j < n; ++j) {
      lost[j] = master[row * p.cols + static_cast<std::int64_t>(j)] - lost[j];
      most = std::max(most, std::abs(lost[j]));
    }
    const float scale = std::isfinite(most) ? most / 127 : 0;
    scales[row] = scale;
    for (std::size_t j = 0; j < n; ++j) {
      kept[row * p.cols + static_cast<std::int64_t>(j)] =
          scale > 0 ? static_cast<std::int8_t>(std::clamp(std::nearbyint(lost[j] / scale), -127.0f, 127.0f))
                    : std::int8_t{0};
    }
  });
}

void Residuals::add_to(std::size_t parameter, float* master) const {
  const Parameter& p = what_.parameters()[parameter];
  const auto* kept = values_.as<std::int8_t>(places_[parameter].values);
  const float* scales = scales_.as<float>(places_[parameter].scales);
  threads_.run(p.count / p.cols, [&](std::int64_t row, int) {
    for (std::int64_t j = row * p.cols; j < (row + 1) * p.cols; ++j)
      master[j] += scales[row] * static_cast<float>(kept[j]);
  });
}

void Residuals::clear() {
  std::fill_n(values_.as<std::int8_t>(), values_.size(), std::int8_t{0});
  std::fill_n(scales_.as<float>(), scales_.size() / sizeof(float), 0.0f);
}

std::vector<NamedBytes> Residuals::state() {
  return {{"residual.values", {values_.data(), values_.size()}}, {"residual.scales", {scales_.data(), scales_.size()}}};
}

}  // namespace frugal
