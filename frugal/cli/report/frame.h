// What plots share: two axes over which things are placed by their share of the width and height, so that a drawing
// fills whatever width the page has while its text keeps its size.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "frugal/cli/report/axis.h"

namespace frugal::report {

struct Frame {
  Axis x, y;
};

std::string percent(double share);     // "12.5%"
std::string coordinate(double share);  // of the curves' own system, 0 to 1000 over the plot
std::string axes(const Frame& frame, const std::vector<Tick>& x, const std::vector<Tick>& y, const std::string& x_name);
// The curves' own system, stretched over the plot: paths with coordinate() go between the two.
extern const char* const kCurves;
extern const char* const kEndOfCurves;

// Invisible columns with a tooltip each: one around every center where there are few, else equal ones. text: what to
// say of what lies nearest to center, if that is between low and high; empty: no column.
std::string hover_columns(std::vector<double> centers, const Axis& x,
                          const std::function<std::string(double low, double center, double high)>& text);
inline constexpr std::size_t kHoverColumns = 90;

}  // namespace frugal::report
