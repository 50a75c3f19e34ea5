// The points of a figure's series as they are drawn: what an axis cannot hold is left out, what is too much is thinned.
#pragma once
#include <vector>

#include "frugal/train/run/figures.h"

namespace frugal::report {

struct Point {
  double x = 0, y = 0;
  double low = 0, high = 0;  // NaN: no band here

  bool is_gap() const;  // the line is broken here
  bool has_band() const;
};

// In the series' order; x is finite. A value that is none, or not positive on a logarithmic axis, makes a gap.
std::vector<Point> points_of(const Series& series, const Figure& figure);
bool is_rising(const std::vector<Point>& points);  // x never falls

// About `most` points at most, in their order. Of a line the first, the last and those farthest out of every part; of
// scattered points one a cell of a grid; of a band its widest reach in every part.
std::vector<Point> thinned_line(const std::vector<Point>& points, std::size_t most);
std::vector<Point> thinned_scatter(const std::vector<Point>& points, const Figure& figure, std::size_t most);
std::vector<Point> thinned_band(const std::vector<Point>& points, std::size_t most);

}  // namespace frugal::report
