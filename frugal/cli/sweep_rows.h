// What a sweep says of its cells: a row each, with what was set, how it ended, and every number of its results.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "frugal/cli/sweep.h"
#include "frugal/train/run/figures.h"

namespace frugal {

Json numbers_of(const Json& results);  // {"accuracy": 0.9, "test.accuracy": 0.8}: those of objects, too
// status: "done", "diverged" or "failed", which have no results. What was set stays where a result has its name.
Json row_of(const Cell& cell, const std::string& status, const Json& results, const std::string& run);

// The column with a metric: its name, best.metric, or test.<name>. Empty: there is none.
std::string metric_column(const std::vector<Json>& rows, const std::string& metric);
// The same, or else the first number that is neither an option nor the loop's.
std::string drawn_column(const std::vector<Json>& rows, const std::string& metric, const Settings& options);

std::string csv_of(const std::vector<Json>& rows);  // RFC 4180
// A table of all; where an option has numbers, `column` against it: its mean over seeds, and from least to most.
void draw_rows(const std::vector<Json>& rows, const std::vector<SweptOption>& options, const std::string& column,
               Figures& figures);

}  // namespace frugal
