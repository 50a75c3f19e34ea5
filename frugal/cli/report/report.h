// A run folder, or several, as one page of HTML that needs nothing else: no network, no scripts, plots as inline SVG.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "frugal/base/system.h"

namespace frugal {

// One run: everything about it. Several: their curves in the same plots and their results in one table; the first
// leads. What an action's settings and metrics mean is looked up in `table`; runs of any other action are drawn, too.
// Error(Exit::input) when one is not a run. Torn and hostile records give a page with what is left of them.
std::string report_html(const std::vector<std::filesystem::path>& runs, const SystemTable& table = systems());

// The same into `out`, whole or not at all; a file that is there is replaced.
void write_report(const std::filesystem::path& out, const std::vector<std::filesystem::path>& runs);

}  // namespace frugal
