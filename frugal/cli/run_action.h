// A run from its settings: checked, planned or measured, handed to the loop, drawn at its end.
#pragma once
#include <string>

#include "frugal/cli/parse.h"

namespace frugal {

// asked: an action that is a run. Returns the exit code. Error(Exit::usage): a setting that --resume takes from the
// run; Error(Exit::budget): it does not fit --memory.
int run_of(const Asked& asked, const Settings& settings);

// The run at `run` once more in `out`, with its recorded settings; says whether it ended with the same bits. Returns
// the exit code, that of a diverged run where they differ. Error(Exit::input): not a run that has ended, or one of
// another machine's files.
int repeat_run(const std::string& run, const std::string& out, bool json, bool quiet);

}  // namespace frugal
