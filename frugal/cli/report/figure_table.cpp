// Tables of a run: a column of numbers stands to the right, with as many decimals throughout.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "frugal/cli/report/figure_parts.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostRows = 500;  // shown

enum class Column { texts, counts, numbers };

bool is_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool is_blank(const Json& cell) { return cell.is_null() || cell == ""; }

// A number that came as text, as what was swept does, stays as it was written.
Column kind_of_column(const FigureTable& table, std::size_t column) {
  bool has_number = false, is_whole = true;
  for (const auto& row : table.rows) {
    const Json& cell = row[column];
    if (is_blank(cell)) continue;
    if (!(cell.is_number() || (cell.is_string() && is_number(cell.get_ref<const std::string&>()))))
      return Column::texts;
    has_number = true;
    is_whole = is_whole && (!cell.is_number() || cell.get<double>() == std::floor(cell.get<double>()));
  }
  return !has_number ? Column::texts : is_whole ? Column::counts : Column::numbers;
}

// Decimals of a column: four below 100, fewer the larger its largest number is; -1: its numbers have exponents.
int decimals_of(const FigureTable& table, std::size_t column) {
  double most = 0;
  for (const auto& row : table.rows) {
    if (row[column].is_number()) most = std::max(most, std::abs(row[column].get<double>()));
  }
  return !(most < 1e6) ? -1 : most >= 1e4 ? 1 : most >= 100 ? 2 : most >= 1e-2 ? 4 : most >= 1e-4 ? 6 : -1;
}

std::string cell_text(const Json& cell, Column kind, int decimals) {
  if (is_blank(cell)) return "\xE2\x80\x93";
  if (cell.is_boolean()) return cell.get<bool>() ? "yes" : "no";
  if (!cell.is_number()) return plain(cell);
  const double value = cell.get<double>();
  const bool vanishes = value != 0 && std::abs(value) < 0.5 * std::pow(10, -decimals);
  if (kind != Column::numbers || decimals < 0 || vanishes) return number(value);
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace

std::string drawn(const FigureTable& table) {
  if (table.columns.empty() || table.rows.empty()) return {};
  std::vector<Column> kinds;
  std::vector<int> decimals;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    kinds.push_back(kind_of_column(table, column));
    decimals.push_back(decimals_of(table, column));
  }
  const auto cell = [&](const char* tag, std::size_t column, const std::string& text) {
    const bool is_number = kinds[column] != Column::texts;
    return "<" + std::string(tag) + (is_number ? " class=\"number\">" : ">") + escape(text) + "</" + tag + ">";
  };
  std::string out = figure_head(table.title, "") + "<div class=\"scroll\"><table class=\"figures\"><thead><tr>";
  if (table.columns.size() > 5) out.insert(std::string_view("<figure").size(), " class=\"whole\"");
  for (std::size_t column = 0; column < table.columns.size(); ++column)
    out += cell("th", column, words_of(table.columns[column]));
  out += "</tr></thead><tbody>\n";
  const std::size_t shown = std::min(table.rows.size(), kMostRows);
  for (std::size_t row = 0; row < shown; ++row) {
    out += "<tr>";
    for (std::size_t column = 0; column < table.columns.size(); ++column)
      out += cell("td", column, cell_text(table.rows[row][column], kinds[column], decimals[column]));
    out += "</tr>\n";
  }
  std::string more;
  if (shown < table.rows.size())
    more = count(static_cast<double>(table.rows.size() - shown)) + " more rows are not shown.";
  return out + "</tbody></table></div>" + figure_end(table.note, more);
}

}  // namespace frugal::report
