#include "frugal/cli/report/plot.h"

#include <algorithm>
#include <cmath>

#include "frugal/cli/report/frame.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kColors = 8;
constexpr std::size_t kBuckets = 400;  // of a drawn curve
constexpr std::size_t kMostDots = 60, kMostAlarms = 200;

struct CutFrame : Frame {
  bool is_cut = false;  // some raw values lie outside
};

CutFrame frame_of(const Plot& plot) {
  double x_low = INFINITY, x_high = -INFINITY, low = INFINITY, high = -INFINITY, raw_low = INFINITY,
         raw_high = -INFINITY;
  std::vector<double> raw;
  const auto widen = [](double value, double& least, double& most) {
    least = std::min(least, value), most = std::max(most, value);
  };
  for (const Line& line : plot.lines) {
    for (const double x : line.curve.x) widen(x, x_low, x_high);
    for (const double y : line.curve.y) widen(y, low, high);
    for (const double y : line.raw.y) widen(y, raw_low, raw_high);
    raw.insert(raw.end(), line.raw.y.begin(), line.raw.y.end());
  }
  for (const Mark& mark : plot.marks) widen(mark.x, x_low, x_high), widen(mark.y, low, high);
  if (!plot.rule_text.empty()) widen(plot.rule, low, high);
  CutFrame frame;
  if (!raw.empty()) {  // a few wild values must not flatten the rest
    auto [bulk_low, bulk_high] = bulk(std::move(raw));
    widen(low, bulk_low, bulk_high), widen(high, bulk_low, bulk_high);
    frame.is_cut = raw_high - raw_low > 2.5 * (bulk_high - bulk_low) && bulk_high > bulk_low;
    low = frame.is_cut ? bulk_low : std::min(low, raw_low);
    high = frame.is_cut ? bulk_high : std::max(high, raw_high);
  }
  if (plot.is_log_x) {
    const double room = x_high > x_low ? std::pow(x_high / x_low, 0.08) : 2;
    frame.x = {x_low / room, x_high * room, true};
  } else {
    x_high = std::max(x_high, plot.x_high);
    if (x_low >= 0 && x_low <= 0.2 * x_high) x_low = 0;
    frame.x = x_high > x_low ? Axis{x_low, x_high} : Axis{x_low - 1, x_low + 1};
  }
  frame.y = plot.y_names.empty() ? value_axis(low, high, plot.from_zero)
                                 : Axis{-0.5, static_cast<double>(plot.y_names.size()) - 0.5};
  return frame;
}

std::vector<Tick> x_ticks(const Plot& plot, const Frame& frame) {
  if (plot.x_ticks.empty()) return ticks(frame.x, 5, plot.whole_x);
  std::vector<Tick> out;
  for (const double x : plot.x_ticks) out.push_back({x, number(x)});
  return out;
}

std::vector<Tick> y_ticks(const Plot& plot, const Frame& frame) {
  if (plot.y_names.empty()) return ticks(frame.y, 5);
  std::vector<Tick> out;
  const std::size_t every = (plot.y_names.size() + 7) / 8;
  for (std::size_t i = 0; i < plot.y_names.size(); i += every)
    out.push_back({static_cast<double>(i), name_ending(plot.y_names[i])});
  return out;
}

std::string path(const Curve& whole, const Line& line, const Frame& frame, const char* kind) {
  const Curve curve = decimated(whole, kBuckets);
  if (curve.empty()) return {};
  std::string d;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const std::string x = coordinate(frame.x.at(curve.x[i])), y = coordinate(1 - frame.y.at(curve.y[i]));
    if (i > 0 && line.is_stepped)
      d += "H" + x + "V" + y;
    else
      d += (i == 0 ? "M" : "L") + x + " " + y;
  }
  if (curve.size() == 1) d += "h.01";  // a dot, by the round end of the stroke
  return "<path class=\"" + std::string(kind) + (is_dashed(line.color) ? " dashed" : "") + "\" stroke=\"" +
         color_of(line.color) + "\" d=\"" + d + "\"/>";
}

std::string dots(const Line& line, const Frame& frame) {
  if (!line.has_dots || line.curve.size() > kMostDots) return {};
  std::string out;
  for (std::size_t i = 0; i < line.curve.size(); ++i) {
    out += "<circle r=\"3.2\" fill=\"" + color_of(line.color) + "\" cx=\"" + percent(frame.x.at(line.curve.x[i])) +
           "\" cy=\"" + percent(1 - frame.y.at(line.curve.y[i])) + "\"/>";
  }
  return out;
}

// A ring on the curve and a vertical line through it; a mark that is alone has its text above the plot.
std::string marks(const Plot& plot, const Frame& frame) {
  std::string out;
  for (const Mark& mark : plot.marks) {
    const double at = frame.x.at(mark.x);
    const std::string x = percent(at), color = color_of(mark.color);
    out += "<line class=\"mark\" stroke=\"" + color + "\" x1=\"" + x + "\" x2=\"" + x +
           "\" y2=\"100%\"/><circle class=\"best\" r=\"5\" stroke=\"" + color + "\" cx=\"" + x + "\" cy=\"" +
           percent(1 - frame.y.at(mark.y)) + "\"/>";
    if (plot.marks.size() > 1) continue;
    const char* anchor = at < 0.3 ? "start" : at > 0.7 ? "end" : "middle";
    out += std::string("<text class=\"best\" y=\"-7\" text-anchor=\"") + anchor + "\" x=\"" + x + "\">" +
           escape(mark.text) + "</text>";
  }
  if (!plot.rule_text.empty()) {
    const std::string y = percent(1 - frame.y.at(plot.rule));
    out += "<line class=\"rule\" x2=\"100%\" y1=\"" + y + "\" y2=\"" + y + "\"/><text dx=\"4\" y=\"" + y +
           "\" dy=\"-6\">" + escape(plot.rule_text) + "</text>";
  }
  return out;
}

std::string alarms(const Plot& plot, const Frame& frame) {
  std::string out;
  for (std::size_t i = 0; i < std::min(plot.alarms.size(), kMostAlarms); ++i) {
    const std::string x = percent(frame.x.at(plot.alarms[i]));
    out += "<line class=\"alarm\" x1=\"" + x + "\" x2=\"" + x + "\" y2=\"9\"><title>" +
           escape(plot.x_name + " " + number(plot.alarms[i]) + ": " + plot.alarm) + "</title></line>";
  }
  return out;
}

std::string value_text(const Plot& plot, double value) {
  if (plot.y_names.empty()) return number(value);
  const double last = static_cast<double>(plot.y_names.size() - 1);
  return plot.y_names[static_cast<std::size_t>(std::clamp(value, 0.0, last))];
}

// What the lines say near `center`, as long as their nearest point lies between low and high; empty when none does.
std::string tooltip(const Plot& plot, double low, double center, double high) {
  std::string text;
  double at = NAN;
  for (const Line& line : plot.lines) {
    if (line.curve.empty()) continue;
    const std::size_t i = nearest(line.curve, center);
    if (line.curve.x[i] < low || line.curve.x[i] > high) continue;
    if (std::isnan(at)) at = line.curve.x[i];
    text += "\n" + line.name + (line.name.empty() ? "" : ": ") + value_text(plot, line.curve.y[i]);
    if (!line.raw.empty()) text += ", alone " + number(line.raw.y[nearest(line.raw, line.curve.x[i])]);
  }
  return text.empty() ? text : plot.x_name + " " + number(at) + text;
}

std::string hover(const Plot& plot, const Frame& frame) {
  std::vector<double> centers;
  for (const Line& line : plot.lines) {
    const Curve few = decimated(line.curve, kHoverColumns);
    centers.insert(centers.end(), few.x.begin(), few.x.end());
  }
  return hover_columns(std::move(centers), frame.x,
                       [&](double low, double center, double high) { return tooltip(plot, low, center, high); });
}

std::string legend(const Plot& plot) {
  const bool has_raw = plot.lines.size() == 1 && !plot.lines[0].raw.empty();
  if (plot.lines.size() < 2 && !has_raw) return {};
  std::string out = "<span class=\"legend\">";
  for (const Line& line : plot.lines) {
    if (!line.curve.empty()) out += legend_entry(line.color, line.name);
  }
  if (has_raw) out += legend_entry(plot.lines[0].color, plot.raw_name, true);
  return out + "</span>";
}

}  // namespace

bool Plot::empty() const {
  return std::all_of(lines.begin(), lines.end(), [](const Line& line) { return line.curve.empty(); });
}

std::string color_of(std::size_t index) { return "var(--c" + std::to_string(index % kColors) + ")"; }

bool is_dashed(std::size_t index) { return index >= kColors; }

std::string legend_entry(std::size_t color, const std::string& text, bool is_faint) {
  return "<span><i" + std::string(is_faint ? " class=\"faint\"" : "") + " style=\"background:" + color_of(color) +
         "\"></i>" + escape(text) + "</span>";
}

std::string figure(const Plot& plot) {
  if (plot.empty()) return {};
  const CutFrame frame = frame_of(plot);
  std::string out = "<figure><figcaption><b>" + escape(plot.title) + "</b>";
  if (!plot.unit.empty()) out += " <small>" + escape(plot.unit) + "</small>";
  out += legend(plot) + "</figcaption><svg class=\"" + std::string(plot.y_names.empty() ? "plot" : "plot wide") +
         "\" role=\"img\" aria-label=\"" + escape(plot.title) + "\">" +
         axes(frame, x_ticks(plot, frame), y_ticks(plot, frame), plot.x_name) + kCurves;
  for (const Line& line : plot.lines) out += path(line.raw, line, frame, "raw");
  for (const Line& line : plot.lines) out += path(line.curve, line, frame, "line");
  out += kEndOfCurves;
  for (const Line& line : plot.lines) out += dots(line, frame);
  out += marks(plot, frame) + hover(plot, frame) + alarms(plot, frame) + "</svg>";
  std::string note = plot.note;
  if (frame.is_cut) note += (note.empty() ? "" : " ") + std::string("A few single values lie beyond the axis.");
  if (!note.empty()) out += "<p class=\"note\">" + escape(note) + "</p>";
  return out + "</figure>\n";
}

}  // namespace frugal::report
