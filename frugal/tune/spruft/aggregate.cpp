#include "frugal/tune/spruft/aggregate.h"

#include <algorithm>
#include <numeric>

namespace frugal {
namespace {

// Of the `count` largest; sorted: rising.
double mean_of_largest(const std::vector<double>& sorted, std::size_t count) {
  count = std::min(count, sorted.size());
  return std::accumulate(sorted.end() - static_cast<std::ptrdiff_t>(count), sorted.end(), 0.0) /
         static_cast<double>(count);
}

// Mean of the quantiles first / 10, ..., 1.
double quantile_mean(const std::vector<double>& sorted, int first) {
  double sum = 0;
  for (int q = first; q <= 10; ++q) {
    const double at = static_cast<double>(sorted.size() - 1) * q / 10;
    const auto low = static_cast<std::size_t>(at), high = std::min(low + 1, sorted.size() - 1);
    sum += sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
  }
  return sum / (11 - first);
}

}  // namespace

double aggregate(const std::string& method, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto mean = [&] { return mean_of_largest(values, values.size()); };
  if (method == "max") return values.back();
  if (method == "mean") return mean();
  if (method == "upper-quantile-mean") return quantile_mean(values, 5);
  if (method == "top5") return mean_of_largest(values, 5);
  if (method == "top5-and-mean") return (mean_of_largest(values, 5) + mean()) / 2;
  return quantile_mean(values, 0);
}

}  // namespace frugal
