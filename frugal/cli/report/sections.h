// The parts of a page beside its plots, as HTML; each is empty when there is nothing to say.
#pragma once
#include <string>
#include <vector>

#include "frugal/cli/report/run_record.h"

namespace frugal::report {

std::string status_pill(const RunRecord& run);
std::string notices(const RunRecord& run);  // what is missing or torn, and what to do about it
std::string tiles(const RunRecord& run);    // the figures one looks for first
std::string results_table(const std::vector<RunRecord>& runs);
std::string evaluations_table(const RunRecord& run);
std::string confusion_table(const RunRecord& run);
std::string memory_figure(
    const std::vector<RunRecord>& runs);           // plan by purpose against the measured peak and the limit
std::string settings_table(const RunRecord& run);  // those that differ from the defaults first
std::string settings_differences(const std::vector<RunRecord>& runs);
std::string facts(const RunRecord& run);  // data, base, machine, versions, weights
std::string next_commands(const std::vector<RunRecord>& runs);

}  // namespace frugal::report
