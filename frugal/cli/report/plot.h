// A plot as a <figure> with inline SVG: curves fill whatever width the page has, text keeps its size, and hovering
// shows values.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "frugal/cli/report/curve.h"

namespace frugal::report {

// All texts here are plain; figure() escapes them.
struct Line {
  std::string name;
  Curve curve;
  Curve raw = {};  // drawn faintly behind: what `curve` is the mean of
  std::size_t color = 0;
  bool has_dots = false, is_stepped = false;
};

struct Mark {
  double x = 0, y = 0;
  std::string text;
  std::size_t color = 0;
};

struct Plot {
  std::string title, unit, note = {};
  std::string x_name = "step", raw_name = "each step";
  std::vector<Line> lines = {};
  std::vector<Mark> marks = {};
  std::vector<double> alarms = {};  // x of steps that went wrong
  std::string alarm = {};           // what went wrong there
  std::string rule_text = {};       // a dashed horizontal line at rule, where not empty
  double rule = 0;
  double x_high = 0;                      // the x axis reaches at least here
  std::vector<double> x_ticks = {};       // instead of round ones
  std::vector<std::string> y_names = {};  // categories: y counts through them
  bool from_zero = false, is_log_x = false, whole_x = true;

  bool empty() const;  // no line has a point
};

std::string figure(const Plot& plot);
// One entry: a swatch in the palette's color and the text.
std::string legend_entry(std::size_t color, const std::string& text, bool is_faint = false);
std::string color_of(std::size_t index);  // CSS: var(--c0) to var(--c7), again from there
bool is_dashed(std::size_t index);        // the second line of a color, and later ones

}  // namespace frugal::report
