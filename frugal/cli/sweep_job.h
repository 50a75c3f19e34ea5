// The cells of a sweep as a job: a step is a cell that has ended.
#pragma once
#include <memory>

#include "frugal/cli/sweep.h"
#include "frugal/train/loop/job.h"

namespace frugal {

struct SweepPlan {
  std::string verb;                    // "swarm train": what each cell runs
  std::vector<std::string> arguments;  // that all cells have
  std::vector<SweptOption> options;
  std::string metric;  // of a cell's results that is drawn; empty: the first number there is
};

// Results: sweep.csv in the run's folder, a row a cell; tables and curves over what is swept.
std::unique_ptr<Job> make_sweep_job(SweepPlan plan, const JobContext& context);

}  // namespace frugal
