#include "frugal/cli/report/series_points.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace frugal::report {
namespace {

constexpr double kLeastLog = 1e-100;  // below, a logarithmic axis of doubles has no room

bool is_drawn(double value, bool is_log) { return std::isfinite(value) && (!is_log || value >= kLeastLog); }

struct Range {
  double low = INFINITY, high = -INFINITY;
  void widen(double value) { low = std::min(low, value), high = std::max(high, value); }
  std::size_t cell(double value, std::size_t cells) const {
    const double share = high > low ? (value - low) / (high - low) : 0;
    return std::min(cells - 1, static_cast<std::size_t>(share * static_cast<double>(cells)));
  }
};

}  // namespace

bool Point::is_gap() const { return std::isnan(y); }
bool Point::has_band() const { return !std::isnan(low) && !std::isnan(high); }

std::vector<Point> points_of(const Series& series, const Figure& figure) {
  std::vector<Point> points;
  points.reserve(series.x.size());
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!is_drawn(series.x[i], figure.is_log_x)) {
      if (!points.empty()) points.push_back({points.back().x, NAN, NAN, NAN});
      continue;
    }
    Point point{series.x[i], is_drawn(series.y[i], figure.is_log_y) ? series.y[i] : NAN, NAN, NAN};
    const bool has_band = !series.low.empty() && std::isfinite(series.low[i]);
    if (has_band && is_drawn(series.high[i], figure.is_log_y)) {
      point.low = std::min(series.low[i], series.high[i]);
      point.high = std::max(series.low[i], series.high[i]);
    }
    points.push_back(point);
  }
  return points;
}

bool is_rising(const std::vector<Point>& points) {
  return std::is_sorted(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
}

std::vector<Point> thinned_line(const std::vector<Point>& points, std::size_t most) {
  if (points.size() <= most) return points;
  constexpr std::size_t kPicked = 6;
  const std::size_t parts = std::max<std::size_t>(1, most / kPicked), part = (points.size() + parts - 1) / parts;
  std::vector<Point> out;
  for (std::size_t first = 0; first < points.size(); first += part) {
    const std::size_t last = std::min(first + part, points.size()) - 1;
    std::set<std::size_t> picked = {first, last};
    std::size_t extremes[] = {last, last, last, last};
    for (std::size_t i = first; i <= last; ++i) {
      if (points[i].is_gap()) {
        picked.insert(i);
        if (picked.size() > kPicked) picked.erase(std::prev(picked.end(), 2));
        continue;
      }
      const auto replace = [&](std::size_t& kept, bool is_farther) {
        if (points[kept].is_gap() || is_farther) kept = i;
      };
      replace(extremes[0], points[i].y < points[extremes[0]].y);
      replace(extremes[1], points[i].y > points[extremes[1]].y);
      replace(extremes[2], points[i].x < points[extremes[2]].x);
      replace(extremes[3], points[i].x > points[extremes[3]].x);
    }
    picked.insert(std::begin(extremes), std::end(extremes));
    for (const std::size_t i : picked) out.push_back(points[i]);
  }
  return out;
}

std::vector<Point> thinned_scatter(const std::vector<Point>& points, const Figure& figure, std::size_t most) {
  if (points.size() <= most) return points;
  const auto place = [](double value, bool is_log) { return is_log ? std::log(value) : value; };
  Range x, y;
  for (const Point& point : points) {
    if (point.is_gap()) continue;
    x.widen(place(point.x, figure.is_log_x)), y.widen(place(point.y, figure.is_log_y));
  }
  const auto side = std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(static_cast<double>(most))));
  std::vector<bool> is_taken(side * side, false);
  std::vector<Point> out;
  for (const Point& point : points) {
    if (point.is_gap()) continue;
    const std::size_t cell =
        x.cell(place(point.x, figure.is_log_x), side) * side + y.cell(place(point.y, figure.is_log_y), side);
    if (!is_taken[cell]) out.push_back(point);
    is_taken[cell] = true;
  }
  return out;
}

std::vector<Point> thinned_band(const std::vector<Point>& points, std::size_t most) {
  if (points.size() <= most) return points;
  const std::size_t part = (points.size() + most - 1) / most;
  std::vector<Point> out;
  for (std::size_t first = 0; first < points.size(); first += part) {
    const std::size_t end = std::min(first + part, points.size());
    Point widest{points[first].x, points[first].y, NAN, NAN};
    for (std::size_t i = first; i < end; ++i) {
      if (!points[i].has_band()) continue;
      widest.low = std::fmin(widest.low, points[i].low);
      widest.high = std::fmax(widest.high, points[i].high);
    }
    if (end == points.size()) widest.x = points.back().x;
    out.push_back(widest);
  }
  return out;
}

}  // namespace frugal::report
