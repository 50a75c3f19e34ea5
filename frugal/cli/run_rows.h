// The runs below a folder, a line each, by their records alone.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "frugal/base/json.h"

namespace frugal {

struct RunRow {
  std::string path, action, method, status;  // method: the plug-ins that were chosen, "lora"; empty: none
  std::string data, data_sha256;             // what the score is of: the held-out file, else the data; empty: none
  std::string metric;                        // its name; empty: there is no score yet
  std::optional<double> score, peak_bytes, seconds;
  bool is_higher_better = true;
  bool is_best = false;  // of at least two of the same action, data and metric
};

// Of run.json in `folder`. Error(Exit::input): it is no file, too large, or not the record of a run.
RunRow run_row(const std::filesystem::path& folder);

// `folder` itself and what lies below it, `depth` folders deep, in the order of names; links to folders are not
// followed. A run.json that cannot be read is noted and left out.
std::vector<RunRow> find_runs(const std::filesystem::path& folder, int depth);

void mark_best(std::vector<RunRow>& rows);
Json to_json(const RunRow& row);
std::string table_of_runs(const std::vector<RunRow>& rows);  // the best ones with a star

}  // namespace frugal
