// Which plots there are for what runs recorded; several runs share each plot.
#pragma once
#include <vector>

#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/run_record.h"

namespace frugal::report {

// In the order of the page; none is empty.
std::vector<Plot> plots_of(const std::vector<RunRecord>& runs);

}  // namespace frugal::report
