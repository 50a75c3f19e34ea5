// A curve: numbers over steps, and what is done to it before it is drawn.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

namespace frugal::report {

struct Curve {
  std::vector<double> x, y;  // same length; x rises; all finite

  bool empty() const { return x.empty(); }
  std::size_t size() const { return x.size(); }
  void add(double at, double value) { x.push_back(at), y.push_back(value); }
  void cut_from(double at);  // forgets what lies at `at` or after
};

std::size_t smoothing_window(std::size_t points);  // odd; 1: so few points that smoothing says nothing
// Mean and median of the `window` (odd) points around each; at the ends of those there are.
Curve running_mean(const Curve& curve, std::size_t window);
Curve running_median(const Curve& curve, std::size_t window);
// For each of `buckets` equal parts of the x range its first, lowest, highest and last point, so that no peak is lost;
// curves of at most 2 * buckets points stay as they are.
Curve decimated(const Curve& curve, std::size_t buckets);
// Index of the point nearest to `at`; the curve is not empty.
std::size_t nearest(const Curve& curve, double at);
// (y[i] - y[i-1]) / (x[i] - x[i-1]) at x[i], where positive: seconds a step from a clock.
Curve slope(const Curve& curve);
// The 1 % and 99 % quantiles of `values`, which it reorders; {0, 0} for none.
std::pair<double, double> bulk(std::vector<double> values);

}  // namespace frugal::report
