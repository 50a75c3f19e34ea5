// Heat maps: small ones as tables with their values, large ones as cells with the values as tooltips. Tinted from the
// least to the greatest value; where there are both signs, by size in two colors.
#include <algorithm>
#include <cmath>

#include "frugal/cli/report/figure_parts.h"
#include "frugal/cli/report/frame.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostTableColumns = 16, kMostTableRows = 40;
constexpr std::size_t kMostCellColumns = 80, kMostCellRows = 60;  // more are averaged
constexpr std::size_t kMostTicks = 8, kTickLetters = 40;          // letters that fit below a map

struct Scale {
  double low = INFINITY, high = -INFINITY;

  bool has_both_signs() const { return low < 0 && high > 0; }
  double share(double value) const {
    if (has_both_signs()) return std::abs(value) / std::max(-low, high);
    return high > low ? (value - low) / (high - low) : 0.5;
  }
};

// " class="below" style="--share:37%"", or nothing for an empty cell.
std::string tint(const Scale& scale, double value) {
  if (std::isnan(value)) return " class=\"none\"";
  const bool is_below = scale.has_both_signs() && value < 0;
  return std::string(is_below ? " class=\"below\"" : "") +
         " style=\"--share:" + std::to_string(static_cast<int>(std::lround(100 * scale.share(value)))) + "%\"";
}

std::string legend(const Scale& scale) {
  const bool both = scale.has_both_signs();
  return "<span class=\"legend\"><span>" + escape(number(scale.low)) + "<i class=\"scale" + (both ? " both" : "") +
         "\"></i>" + escape(number(scale.high)) + "</span></span>";
}

std::string as_table(const HeatMap& map, const Scale& scale) {
  std::string out = "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th>";
  for (const std::string& column : map.columns) out += "<th>" + escape(column) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    out += "<tr><th>" + escape(map.rows[row]) + "</th>";
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      const double value = map.values[row * map.columns.size() + column];
      out += "<td" + tint(scale, value) + ">" + (std::isnan(value) ? "\xE2\x80\x93" : escape(number(value))) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>";
}

// One name for `part` of them, at most `most` in all.
std::vector<Tick> name_ticks(const std::vector<std::string>& names, std::size_t part, std::size_t most) {
  std::vector<Tick> out;
  const std::size_t cells = (names.size() + part - 1) / part, every = (cells + most - 1) / most;
  for (std::size_t cell = 0; cell < cells; cell += every)
    out.push_back({static_cast<double>(cell) + 0.5, name_ending(names[cell * part])});
  return out;
}

// A cell is the mean of `high` rows of `wide` values.
std::string as_cells(const HeatMap& map, const Scale& scale, std::size_t wide, std::size_t high) {
  const std::size_t columns = map.columns.size(), rows = map.rows.size();
  const std::size_t across = (columns + wide - 1) / wide, down = (rows + high - 1) / high;
  const Frame frame{{0, static_cast<double>(across)}, {static_cast<double>(down), 0}};  // the first row on top
  std::size_t longest = 1;
  for (const std::string& name : map.columns) longest = std::max(longest, std::min<std::size_t>(name.size(), 17));
  const std::size_t most = std::clamp<std::size_t>(kTickLetters / longest, 2, kMostTicks);
  std::string out = "<svg class=\"plot wide\" role=\"img\" aria-label=\"" + escape(map.title) + "\">" +
                    axes(frame, name_ticks(map.columns, wide, most), name_ticks(map.rows, high, kMostTicks), "") +
                    "<svg class=\"cells\" viewBox=\"0 0 " + std::to_string(across) + " " + std::to_string(down) +
                    "\" preserveAspectRatio=\"none\" width=\"100%\" height=\"100%\">";
  for (std::size_t row = 0; row < rows; row += high) {
    for (std::size_t column = 0; column < columns; column += wide) {
      double sum = 0, values = 0;
      for (std::size_t i = row; i < std::min(rows, row + high); ++i) {
        for (std::size_t k = column; k < std::min(columns, column + wide); ++k) {
          const double value = map.values[i * columns + k];
          if (!std::isnan(value)) sum += value, ++values;
        }
      }
      if (values == 0) continue;
      out +=
          "<rect x=\"" + std::to_string(column / wide) + "\" y=\"" + std::to_string(row / high) +
          "\" width=\"1\" height=\"1\"" + tint(scale, sum / values) + "><title>" +
          escape(name_ending(map.rows[row]) + ", " + name_ending(map.columns[column]) + ": " + number(sum / values)) +
          "</title></rect>";
    }
  }
  return out + "</svg></svg>";
}

}  // namespace

std::string drawn(const HeatMap& map) {
  Scale scale;
  for (const double value : map.values) {
    if (std::isnan(value)) continue;
    scale.low = std::min(scale.low, value), scale.high = std::max(scale.high, value);
  }
  if (!(scale.low <= scale.high)) return {};
  std::string out = figure_head(map.title, "", legend(scale));
  if (map.columns.size() <= kMostTableColumns && map.rows.size() <= kMostTableRows)
    return out + as_table(map, scale) + figure_end(map.note);
  const std::size_t wide = (map.columns.size() + kMostCellColumns - 1) / kMostCellColumns,
                    high = (map.rows.size() + kMostCellRows - 1) / kMostCellRows;
  std::string more;
  if (wide * high > 1)
    more = "A cell is the mean of " + std::to_string(high) + " rows and " + std::to_string(wide) + " columns.";
  return out + as_cells(map, scale, wide, high) + figure_end(map.note, more);
}

}  // namespace frugal::report
