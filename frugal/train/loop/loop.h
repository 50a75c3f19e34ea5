// The one loop: everything that runs gets from it progress, Ctrl-C, the guard of its memory, events, snapshots, resume
// to the same bits, the best step, and its record. It knows nothing of what runs.
#pragma once
#include <string>

#include "frugal/train/loop/job_table.h"

namespace frugal {

struct RunRequest {
  std::string action;           // as it is typed: "tune", "swarm train"
  Json settings;                // resolved: the job's, and those of RunConfig
  Json facts = Json::object();  // for the record of a new run
  Json leg = Json::object();    // settings that a run goes on with instead of those it has: more steps, another rate
};

// Starts the run that settings["out"] names, or goes on with settings["resume"]; of the settings that come with the
// latter, those of this process (memory, threads, json, quiet) and `leg` count. A leg is in the run's record with the
// step where it began; a run that was done goes on with it. Prints the results; returns the exit code.
// Error(Exit::diverged, budget, input, ...): as Job and RunFolder; what was done is saved where it is whole.
int run_job(const JobTable::MakeJob& make, const RunRequest& request);

// What two steps and one evaluation take, for a budget that is promised before the run: this process's peak.
std::uint64_t measure_job(const JobTable::MakeJob& make, const RunRequest& request);

}  // namespace frugal
