// A run for each value of an option, or for each seed: every cell is a run of its own below the sweep's folder, in a
// process of its own with one thread, so that cells go side by side and none depends on another.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "frugal/cli/parse.h"
#include "frugal/train/loop/run_config.h"

namespace frugal {

struct SweptOption {
  std::string name;                 // window
  std::vector<std::string> values;  // 5, 10, 20
};
using Cell = std::vector<std::pair<std::string, std::string>>;  // option and value

// words: "window=5", "10", "20", "noise=0:0.5:0.1": what stands before the next '=' belongs to the option before it;
// from:to:step counts both ends. Error(Exit::usage): no option, no value, an option twice, more than 10,000 values.
std::vector<SweptOption> parse_sweep(const std::vector<std::string>& words);
std::vector<Cell> cells_of(const std::vector<SweptOption>& options);  // every combination, the last option fastest

bool is_sweep(const Asked& asked, const Settings& settings);
bool is_swept(const std::string& run);  // the folder of a sweep

// Error: a cell that is refused, before any runs. With --dry-run none does.
int run_sweep(const Asked& asked, const Settings& settings, const RunConfig& run);
// settings: those of the sweep's record, with another "out"; or "resume" and those of this process.
int run_sweep_again(const Asked& asked, const Json& settings);

}  // namespace frugal
