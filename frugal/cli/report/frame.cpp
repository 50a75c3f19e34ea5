#include "frugal/cli/report/frame.h"

#include <algorithm>
#include <cstdio>

#include "frugal/cli/report/text.h"

namespace frugal::report {

const char* const kCurves =
    "<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" width=\"100%\" height=\"100%\">";
const char* const kEndOfCurves = "</svg>";

std::string percent(double share) {
  char text[40];
  std::snprintf(text, sizeof text, "%.4g%%", 100 * std::clamp(share, -10.0, 10.0));
  return text;
}

std::string coordinate(double share) {
  char text[40];
  std::snprintf(text, sizeof text, "%.5g", 1000 * std::clamp(share, -10.0, 10.0));
  return text;
}

std::string axes(const Frame& frame, const std::vector<Tick>& x, const std::vector<Tick>& y,
                 const std::string& x_name) {
  std::string out;
  for (const Tick& tick : y) {
    const std::string at = percent(1 - frame.y.at(tick.value));
    out += "<line class=\"grid\" x2=\"100%\" y1=\"" + at + "\" y2=\"" + at +
           "\"/><text class=\"ty\" dx=\"-8\" dy=\".32em\" y=\"" + at + "\">" + escape(tick.text) + "</text>";
  }
  for (const Tick& tick : x) {
    out += "<text class=\"tx\" dy=\"18\" y=\"100%\" x=\"" + percent(frame.x.at(tick.value)) + "\">" +
           escape(tick.text) + "</text>";
  }
  return out +
         "<line class=\"base\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/><text class=\"name\" x=\"100%\" y=\"100%\" "
         "dy=\"34\">" +
         escape(x_name) + "</text>";
}

std::string hover_columns(std::vector<double> centers, const Axis& x,
                          const std::function<std::string(double low, double center, double high)>& text) {
  std::sort(centers.begin(), centers.end());
  centers.erase(std::unique(centers.begin(), centers.end()), centers.end());
  if (centers.size() > kHoverColumns) {
    centers.clear();
    for (std::size_t i = 0; i < kHoverColumns; ++i)
      centers.push_back(x.value((static_cast<double>(i) + 0.5) / static_cast<double>(kHoverColumns)));
  }
  std::string out;
  double low = x.low;
  for (std::size_t i = 0; i < centers.size(); ++i) {
    const double high = i + 1 < centers.size() ? (centers[i] + centers[i + 1]) / 2 : x.high;
    const std::string said = text(low, centers[i], high);
    const double left = x.at(low), right = x.at(high);
    low = high;
    if (said.empty()) continue;
    out += "<rect class=\"hit\" height=\"100%\" x=\"" + percent(left) + "\" width=\"" +
           percent(std::max(0.0, right - left)) + "\"><title>" + escape(said) + "</title></rect>";
  }
  return out;
}

}  // namespace frugal::report
