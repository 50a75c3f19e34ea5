#include "frugal/cli/report/curve.h"

#include <algorithm>
#include <cmath>

namespace frugal::report {
namespace {

// [first, last) of the window around i.
std::pair<std::size_t, std::size_t> window_at(std::size_t i, std::size_t window, std::size_t size) {
  const std::size_t half = window / 2;
  return {i > half ? i - half : 0, std::min(i + half + 1, size)};
}

}  // namespace

void Curve::cut_from(double at) {
  const auto keep = static_cast<std::size_t>(std::lower_bound(x.begin(), x.end(), at) - x.begin());
  x.resize(keep);
  y.resize(keep);
}

std::size_t smoothing_window(std::size_t points) {
  if (points < 8) return 1;
  return std::clamp<std::size_t>(points / 15, 3, 501) | 1;
}

Curve running_mean(const Curve& curve, std::size_t window) {
  Curve out;
  std::vector<double> sums(1, 0.0);
  for (const double y : curve.y) sums.push_back(sums.back() + y);
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const auto [first, last] = window_at(i, window, curve.size());
    out.add(curve.x[i], (sums[last] - sums[first]) / static_cast<double>(last - first));
  }
  return out;
}

Curve running_median(const Curve& curve, std::size_t window) {
  Curve out;
  std::vector<double> part;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const auto [first, last] = window_at(i, window, curve.size());
    part.assign(curve.y.begin() + static_cast<std::ptrdiff_t>(first),
                curve.y.begin() + static_cast<std::ptrdiff_t>(last));
    const auto middle = part.begin() + static_cast<std::ptrdiff_t>(part.size() / 2);
    std::nth_element(part.begin(), middle, part.end());
    out.add(curve.x[i], *middle);
  }
  return out;
}

Curve decimated(const Curve& curve, std::size_t buckets) {
  if (curve.size() <= 2 * buckets) return curve;
  const double low = curve.x.front(), scale = static_cast<double>(buckets) / (curve.x.back() - low);
  const auto bucket_of = [&](std::size_t i) { return std::floor((curve.x[i] - low) * scale); };
  Curve out;
  for (std::size_t first = 0; first < curve.size();) {
    std::size_t last = first, lowest = first, highest = first;
    for (std::size_t i = first; i < curve.size() && bucket_of(i) == bucket_of(first); last = i++) {
      if (curve.y[i] < curve.y[lowest]) lowest = i;
      if (curve.y[i] > curve.y[highest]) highest = i;
    }
    std::size_t picked[] = {first, std::min(lowest, highest), std::max(lowest, highest), last};
    for (std::size_t k = 0; k < 4; ++k) {
      if (k == 0 || picked[k] != picked[k - 1]) out.add(curve.x[picked[k]], curve.y[picked[k]]);
    }
    first = last + 1;
  }
  return out;
}

std::size_t nearest(const Curve& curve, double at) {
  const auto after = static_cast<std::size_t>(std::lower_bound(curve.x.begin(), curve.x.end(), at) - curve.x.begin());
  if (after == 0) return 0;
  if (after == curve.size()) return after - 1;
  return at - curve.x[after - 1] <= curve.x[after] - at ? after - 1 : after;
}

Curve slope(const Curve& curve) {
  Curve out;
  for (std::size_t i = 1; i < curve.size(); ++i) {
    const double rate = (curve.y[i] - curve.y[i - 1]) / (curve.x[i] - curve.x[i - 1]);
    if (rate > 0) out.add(curve.x[i], rate);
  }
  return out;
}

std::pair<double, double> bulk(std::vector<double> values) {
  if (values.empty()) return {0, 0};
  const auto at = [&](double share) {
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
  };
  const double low = at(0.01);
  return {low, at(0.99)};
}

}  // namespace frugal::report
