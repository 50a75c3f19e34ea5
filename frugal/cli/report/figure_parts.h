// Figures that a run recorded, as HTML: each a <figure>, empty when it has nothing to draw. All texts are escaped here.
#pragma once
#include <string>
#include <vector>

#include "frugal/cli/report/run_record.h"

namespace frugal::report {

std::string drawn(const Figure& figure);
std::string drawn(const HeatMap& map);
std::string drawn(const FigureTable& table);
std::string drawn(const Picture& picture);

// Of a run's own page: all of them, in the order in which they first came.
std::string figures_section(const RunRecord& run);
// Of several runs: lines and points of one name over the same axes share a figure.
std::string shared_figures(const std::vector<RunRecord>& runs);
// What shared_figures leaves of runs[index].
std::string own_figures(const std::vector<RunRecord>& runs, std::size_t index);

// <figure> and its caption, with a legend that is HTML already; the end of one, with notes before it.
std::string figure_head(const std::string& title, const std::string& small, const std::string& legend = {});
std::string figure_end(const std::string& note, const std::string& more = {});

}  // namespace frugal::report
