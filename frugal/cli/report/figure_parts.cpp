#include "frugal/cli/report/figure_parts.h"

#include <algorithm>

#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

std::string drawn_any(const FigureRecord& figure) {
  return std::visit([](const auto& each) { return drawn(each); }, figure);
}

// A drawing of one place or engagement (equal scale) says nothing laid over that of another.
bool shares_axes(const Figure& a, const Figure& b) {
  return !a.is_equal_scale && a.name == b.name && a.kind == b.kind && a.x_name == b.x_name && a.y_name == b.y_name &&
         a.is_log_x == b.is_log_x && a.is_log_y == b.is_log_y && a.is_equal_scale == b.is_equal_scale;
}

const Figure* partner(const RunRecord& run, const Figure& figure) {
  for (const FigureRecord& each : run.figures) {
    const auto* other = std::get_if<Figure>(&each);
    if (other != nullptr && shares_axes(*other, figure)) return other;
  }
  return nullptr;
}

bool is_shared(const std::vector<RunRecord>& runs, const Figure& figure) {
  return std::count_if(runs.begin(), runs.end(),
                       [&](const RunRecord& run) { return partner(run, figure) != nullptr; }) > 1;
}

std::string section(const std::string& figures) {
  return figures.empty() ? figures
                         : "<section><h2>Figures</h2>\n<div class=\"plots\">\n" + figures + "</div></section>\n";
}

}  // namespace

std::string drawn(const Picture& picture) {
  const std::string width = std::to_string(picture.width), height = std::to_string(picture.height);
  return figure_head(picture.title, "") + "<img alt=\"" + escape(picture.title) + "\" width=\"" + width +
         "\" height=\"" + height + "\" src=\"data:" + picture.type + ";base64," + picture.base64 + "\"/>" +
         figure_end("");
}

std::string figures_section(const RunRecord& run) {
  std::string out;
  for (const FigureRecord& figure : run.figures) out += drawn_any(figure);
  return section(out);
}

std::string shared_figures(const std::vector<RunRecord>& runs) {
  std::string out;
  std::vector<const Figure*> seen;
  for (const RunRecord& run : runs) {
    for (const FigureRecord& each : run.figures) {
      const auto* figure = std::get_if<Figure>(&each);
      if (figure == nullptr || !is_shared(runs, *figure)) continue;
      const bool is_drawn =
          std::any_of(seen.begin(), seen.end(), [&](const Figure* other) { return shares_axes(*other, *figure); });
      if (is_drawn) continue;
      seen.push_back(figure);
      Figure all = *figure;
      all.series.clear();
      for (const RunRecord& other : runs) {
        const Figure* of_other = partner(other, *figure);
        if (of_other == nullptr) continue;
        for (Series series : of_other->series) {
          series.name = other.name + (series.name.empty() ? "" : ", ") + series.name;
          all.series.push_back(std::move(series));
        }
      }
      out += drawn(all);
    }
  }
  return section(out);
}

std::string own_figures(const std::vector<RunRecord>& runs, std::size_t index) {
  std::string out;
  for (const FigureRecord& each : runs[index].figures) {
    const auto* figure = std::get_if<Figure>(&each);
    if (figure == nullptr || !is_shared(runs, *figure)) out += drawn_any(each);
  }
  return out.empty() ? out : "<div class=\"plots\">\n" + out + "</div>\n";
}

std::string figure_head(const std::string& title, const std::string& small, const std::string& legend) {
  std::string out = "<figure><figcaption><b>" + escape(title) + "</b>";
  if (!small.empty()) out += " <small>" + escape(small) + "</small>";
  return out + legend + "</figcaption>";
}

std::string figure_end(const std::string& note, const std::string& more) {
  const bool is_ended = note.empty() || note.ends_with('.') || note.ends_with('!') || note.ends_with('?');
  const std::string text = note + (is_ended ? "" : ".") + (note.empty() || more.empty() ? "" : " ") + more;
  return (text.empty() ? text : "<p class=\"note\">" + escape(text) + "</p>") + "</figure>\n";
}

}  // namespace frugal::report
