// What became of a run, in a few figures.
#pragma once
#include <optional>
#include <string>

#include "frugal/cli/report/run_record.h"

namespace frugal::report {

// What a run's steps are judged on: "dev" where there is an evaluation on it, else the first there is.
std::string judged_data(const RunRecord& run);

// The metric that decides which step of `run` is the best: what its results or settings name, the first its system has;
// of tune balanced accuracy with --balance, else accuracy; where none was recorded perplexity or loss, which are better
// when lower. Empty: no evaluations.
struct Judge {
  std::string key;
  bool is_lower_better = false;
};
Judge judge_of(const RunRecord& run);

// The best evaluation: what the record's results name, or else the best recorded so far; the last one of an action
// whose last step leaves the result.
struct Best {
  double step = 0;
  std::optional<double> metric, loss;
};
std::optional<Best> best_of(const RunRecord& run, const Judge& judge);

std::string place(const RunRecord& run, double at);  // "step 50", "epoch 7"
std::string setting_text(const RunRecord& run, std::string_view key);
std::string model_name(const RunRecord& run);                      // file or folder name of the base
std::optional<double> planned_steps(const RunRecord& run);         // --steps
std::optional<double> learning_rate_of(const RunRecord& run);      // chosen by a race, or given
std::optional<double> seconds_of(const RunRecord& run);            // the whole run so far
std::optional<double> seconds_per_step(const RunRecord& run);      // median
std::optional<double> peak_bytes(const RunRecord& run);            // measured
std::optional<double> final_training_loss(const RunRecord& run);   // running mean at the last step
Confusion final_confusion(const RunRecord& run, std::string& of);  // of: "test", or "dev, step 40"

// Numbers of the results that have no place of their own on the page, at most `most`.
std::vector<std::pair<std::string, double>> other_results(const RunRecord& run, std::size_t most);
std::string result_text(const std::string& name, double value);  // with the unit that its name ends in

// Memory by purpose as predicted before the run, from record["plan"]: {"parts": {purpose: bytes}} or a list of
// {"purpose", "bytes"}, or the rows of plan_json, of which that of the run's method counts. Empty: not recorded.
std::vector<std::pair<std::string, double>> planned_memory(const RunRecord& run);

}  // namespace frugal::report
