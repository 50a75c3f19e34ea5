// The cells of a sweep as a job: a step is a cell that has ended.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "frugal/cli/sweep.h"
#include "frugal/train/loop/job.h"

namespace frugal {

struct SweepPlan {
  Asked action;                   // what each cell runs
  std::vector<GivenValue> given;  // to all cells
  std::vector<SweptOption> options;
  std::string folder;  // where the sweep was started, which relative paths are meant from
  std::string metric;  // of a cell's results that is drawn; empty: the first number there is
};

std::string cell_name(std::size_t index, const Cell& cell);  // cells/0001-seed=3, below the sweep's folder
// Error(Exit::usage): the action has no such option, or no such value.
Settings cell_settings(const SweepPlan& plan, const Cell& cell, const std::string& out);

// Results: sweep.csv in the run's folder, a row a cell; tables and curves over what is swept.
std::unique_ptr<Job> make_sweep_job(SweepPlan plan, const JobContext& context);

}  // namespace frugal
