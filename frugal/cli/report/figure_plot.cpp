// Lines and scattered points of a figure: bands or error bars, logarithmic axes, one unit as long along x as along y.
#include <algorithm>
#include <cmath>

#include "frugal/cli/report/curve.h"
#include "frugal/cli/report/figure_parts.h"
#include "frugal/cli/report/frame.h"
#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/series_points.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostSeries = 24;                // drawn
constexpr std::size_t kMostPoints = 12000;             // drawn, of all series together
constexpr std::size_t kMostDots = 60;                  // of a line that shows its points
constexpr std::size_t kMostBars = 200;                 // error bars of one series
constexpr std::size_t kMostHits = 300;                 // points with a tooltip of their own
constexpr double kLeastShape = 0.6, kMostShape = 2.4;  // width over height of a figure with equal scale
constexpr double kHeight = 340;                        // its height, in pixels, where the page is wide enough

struct DrawnSeries {
  std::string name;
  std::size_t color = 0;
  std::vector<Point> points, band;               // thinned
  Curve curve;                                   // of a line over rising x, for tooltips
  std::vector<std::pair<double, double>> bands;  // beside the curve's points; empty: none
};

struct Range {
  double low = INFINITY, high = -INFINITY;
  void widen(double value) { low = std::min(low, value), high = std::max(high, value); }
};

bool is_scatter(const Figure& figure) { return figure.kind == Figure::Kind::scatter; }
bool is_equal(const Figure& figure) { return figure.is_equal_scale && !figure.is_log_x && !figure.is_log_y; }

std::vector<DrawnSeries> series_of(const Figure& figure, bool& is_rising_all) {
  std::vector<DrawnSeries> all;
  const std::size_t shown = std::min(figure.series.size(), kMostSeries);
  is_rising_all = !is_scatter(figure) && !is_equal(figure);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::vector<Point> points = points_of(figure.series[i], figure);
    if (std::all_of(points.begin(), points.end(), [](const Point& point) { return point.is_gap(); })) continue;
    DrawnSeries series{.name = figure.series[i].name, .color = i};
    const std::size_t most = std::max<std::size_t>(300, kMostPoints / shown);
    series.points = is_scatter(figure) ? thinned_scatter(points, figure, most) : thinned_line(points, most);
    series.band = is_scatter(figure) ? series.points : thinned_band(points, most / 3);
    is_rising_all = is_rising_all && is_rising(series.points);
    for (const Point& point : series.points) {
      if (point.is_gap()) continue;
      series.curve.add(point.x, point.y);
      series.bands.emplace_back(point.low, point.high);
    }
    all.push_back(std::move(series));
  }
  return all;
}

Axis x_axis(const Figure& figure, const Range& x) {
  if (figure.is_log_x) return log_axis(x.low, x.high);
  if (is_scatter(figure) || is_equal(figure) || !(x.high > x.low)) return value_axis(x.low, x.high, false);
  return {x.low >= 0 && x.low <= 0.2 * x.high ? 0 : x.low, x.high};
}

// The shorter axis of a figure with equal scale is widened around its middle until the shape can be looked at.
void widen(Axis& axis, double span) {
  const double middle = (axis.low + axis.high) / 2;
  axis = {middle - span / 2, middle + span / 2};
}

Frame frame_of(const Figure& figure, const std::vector<DrawnSeries>& all) {
  Range x, y;
  for (const DrawnSeries& series : all) {
    for (const Point& point : series.points) {
      if (!point.is_gap()) x.widen(point.x), y.widen(point.y);
    }
    for (const Point& point : series.band) {
      if (!point.has_band()) continue;
      x.widen(point.x), y.widen(point.high);
      if (!figure.is_log_y || point.low > 0) y.widen(std::max(point.low, figure.is_log_y ? 1e-100 : point.low));
    }
  }
  Frame frame;
  frame.x = x_axis(figure, x);
  const bool is_near_zero = y.low >= 0 && y.low <= 0.3 * y.high && !is_equal(figure);
  frame.y = figure.is_log_y ? log_axis(y.low, y.high) : value_axis(y.low, y.high, is_near_zero);
  if (is_equal(figure)) {
    const double width = frame.x.high - frame.x.low, height = frame.y.high - frame.y.low;
    if (width < kLeastShape * height) widen(frame.x, kLeastShape * height);
    if (width > kMostShape * height) widen(frame.y, width / kMostShape);
  }
  return frame;
}

std::vector<Tick> ticks_of(const Axis& axis, bool whole) {
  return axis.is_log ? log_ticks(axis, 5) : ticks(axis, 5, whole);
}

bool is_whole(const std::vector<DrawnSeries>& all) {
  return std::all_of(all.begin(), all.end(), [](const DrawnSeries& series) {
    return std::all_of(series.curve.x.begin(), series.curve.x.end(), [](double x) { return x == std::floor(x); });
  });
}

// From the top; what a logarithmic axis cannot hold lies below it.
double depth(const Frame& frame, double y) { return frame.y.is_log && y <= frame.y.low ? 1 : 1 - frame.y.at(y); }

std::string at(const Frame& frame, double x, double y) {
  return coordinate(frame.x.at(x)) + " " + coordinate(depth(frame, y));
}

std::string line_path(const DrawnSeries& series, const Frame& frame) {
  std::string d;
  bool is_down = false;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const Point& point = series.points[i];
    if (point.is_gap()) {
      is_down = false;
      continue;
    }
    d += (is_down ? "L" : "M") + at(frame, point.x, point.y);
    const bool is_alone = !is_down && (i + 1 == series.points.size() || series.points[i + 1].is_gap());
    if (is_alone) d += "h.01";  // a dot, by the round end of the stroke
    is_down = true;
  }
  return "<path class=\"line" + std::string(is_dashed(series.color) ? " dashed" : "") + "\" stroke=\"" +
         color_of(series.color) + "\" d=\"" + d + "\"/>";
}

std::string dot_path(const DrawnSeries& series, const Frame& frame) {
  std::string d;
  for (const Point& point : series.points) {
    if (!point.is_gap()) d += "M" + at(frame, point.x, point.y) + "h.01";
  }
  return "<path class=\"dots\" stroke=\"" + color_of(series.color) + "\" d=\"" + d + "\"/>";
}

// There along the upper edge, back along the lower one.
std::string band_path(const DrawnSeries& series, const Frame& frame) {
  std::string d;
  const auto& band = series.band;
  for (std::size_t first = 0; first < band.size(); ++first) {
    std::size_t end = first;
    std::string lower;
    for (; end < band.size() && band[end].has_band(); ++end) {
      d += (end == first ? "M" : "L") + at(frame, band[end].x, band[end].high);
      lower = "L" + at(frame, band[end].x, band[end].low) + lower;
    }
    if (end > first) d += lower + "Z";
    first = end;
  }
  if (d.empty()) return d;
  return "<path class=\"band\" style=\"fill:" + color_of(series.color) + "\" d=\"" + d + "\"/>";
}

std::string error_bars(const DrawnSeries& series, const Frame& frame) {
  std::string d;
  const std::size_t every = (series.points.size() + kMostBars - 1) / kMostBars;
  for (std::size_t i = 0; i < series.points.size(); i += std::max<std::size_t>(1, every)) {
    const Point& point = series.points[i];
    if (point.has_band() && !point.is_gap())
      d += "M" + at(frame, point.x, point.low) + "V" + coordinate(depth(frame, point.high));
  }
  return d.empty() ? d : "<path class=\"error\" stroke=\"" + color_of(series.color) + "\" d=\"" + d + "\"/>";
}

std::string value_text(double y, const std::pair<double, double>& band) {
  if (std::isnan(band.first)) return number(y);
  return number(y) + " (" + number(band.first) + " to " + number(band.second) + ")";
}

std::string column_text(const Figure& figure, const std::vector<DrawnSeries>& all, double low, double center,
                        double high) {
  std::string text;
  double x = NAN;
  for (const DrawnSeries& series : all) {
    const std::size_t i = nearest(series.curve, center);
    if (series.curve.x[i] < low || series.curve.x[i] > high) continue;
    if (std::isnan(x)) x = series.curve.x[i];
    text += "\n" + series.name + (series.name.empty() ? "" : ": ") + value_text(series.curve.y[i], series.bands[i]);
  }
  return text.empty() ? text : figure.x_name + " " + number(x) + text;
}

std::string hover(const Figure& figure, const std::vector<DrawnSeries>& all, const Frame& frame, bool is_rising_all) {
  if (is_rising_all) {
    std::vector<double> centers;
    for (const DrawnSeries& series : all) {
      const Curve few = decimated(series.curve, kHoverColumns);
      centers.insert(centers.end(), few.x.begin(), few.x.end());
    }
    return hover_columns(std::move(centers), frame.x, [&](double low, double center, double high) {
      return column_text(figure, all, low, center, high);
    });
  }
  std::string out;
  for (const DrawnSeries& series : all) {
    const std::size_t every = std::max<std::size_t>(1, series.curve.size() * all.size() / kMostHits);
    for (std::size_t i = 0; i < series.curve.size(); i += every) {
      const double x = series.curve.x[i], y = series.curve.y[i];
      const std::string text = series.name + (series.name.empty() ? "" : "\n") + figure.x_name + " " + number(x) +
                               "\n" + figure.y_name + " " + value_text(y, series.bands[i]);
      out += "<circle class=\"hit\" r=\"7\" cx=\"" + percent(frame.x.at(x)) + "\" cy=\"" + percent(depth(frame, y)) +
             "\"><title>" + escape(text) + "</title></circle>";
    }
  }
  return out;
}

std::string legend(const std::vector<DrawnSeries>& all) {
  std::string out;
  for (const DrawnSeries& series : all) {
    if (!series.name.empty()) out += legend_entry(series.color, series.name);
  }
  return out.empty() ? out : "<span class=\"legend\">" + out + "</span>";
}

// Width over height of the part between the axes, and a width that keeps the height within bounds.
std::string shape(const Frame& frame) {
  const double ratio = (frame.x.high - frame.x.low) / (frame.y.high - frame.y.low);
  char text[120];
  std::snprintf(text, sizeof text, " style=\"aspect-ratio:%.6g;width:min(100%% - 66px,%.0fpx)\"", ratio,
                kHeight * ratio);
  return text;
}

}  // namespace

std::string drawn(const Figure& figure) {
  bool is_rising_all = false;
  const std::vector<DrawnSeries> all = series_of(figure, is_rising_all);
  if (all.empty()) return {};
  const Frame frame = frame_of(figure, all);
  std::string out = figure_head(figure.title, figure.y_name, legend(all));
  out += std::string("<svg class=\"plot") + (is_equal(figure) ? " equal\"" + shape(frame) : "\"") +
         " role=\"img\" aria-label=\"" + escape(figure.title) + "\">" +
         axes(frame, ticks_of(frame.x, is_whole(all)), ticks_of(frame.y, false), figure.x_name) + kCurves;
  for (const DrawnSeries& series : all)
    out += is_scatter(figure) ? error_bars(series, frame) : band_path(series, frame);
  for (const DrawnSeries& series : all) {
    if (!is_scatter(figure)) out += line_path(series, frame);
    if (is_scatter(figure) || (series.points.size() <= kMostDots && !is_equal(figure))) out += dot_path(series, frame);
  }
  out += kEndOfCurves + hover(figure, all, frame, is_rising_all) + "</svg>";
  std::string more;
  if (figure.series.size() > kMostSeries)
    more = count(static_cast<double>(figure.series.size() - kMostSeries)) + " more series are not drawn.";
  return out + figure_end(figure.note, more);
}

}  // namespace frugal::report
