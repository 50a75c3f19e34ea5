// What a run folder says of a run, read without trusting it: what is missing, torn or of another type is left out.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/cli/report/curve.h"
#include "frugal/cli/report/figure_record.h"
#include "frugal/cli/report/run_kind.h"

namespace frugal::report {

// Rows: the label there is; columns: the label predicted.
using Confusion = std::vector<std::vector<double>>;

struct Evaluation {
  std::string data;  // "dev"
  double step = 0;
  std::vector<std::pair<std::string, double>>
      values;           // accuracy, loss, perplexity, seconds, ...: whatever numbers there are
  Confusion confusion;  // empty: not recorded

  std::optional<double> value(std::string_view key) const;
};

struct RunRecord {
  std::filesystem::path path;
  std::string name;  // of the folder
  Json record;       // run.json
  RunKind kind;      // of its action
  // From events.jsonl. A run that went on from an earlier step wrote steps again: the later line counts.
  std::vector<std::pair<std::string, Curve>>
      steps;                             // by key, over steps; of projected_gradients the mean of the absolute values
  std::vector<std::string> block_names;  // what the values of "active_block" stand for, where they are words
  std::vector<double> skipped;           // steps
  std::vector<Evaluation> evaluations;   // by rising step for each data
  std::vector<FigureRecord> figures;     // the newest of each name, in the order in which names first came
  double last_step = 0;                  // 0: none
  // What is counted: all steps here are in it. "step" itself where the record names nothing else.
  std::string step_name = "step";
  double step_size = 1, most_steps = 0;  // of it a step is, at most so many in all; 0: any
  double in_units(double step) const;
  std::uint64_t unread_lines = 0;  // torn, no event, or a figure that is none

  const Curve& curve(std::string_view key) const;  // empty when there is none
  Curve evaluation_curve(std::string_view data, std::string_view key) const;
};

// table: where actions are looked up. Error(Exit::input) when `path` is not a run, as RunFolder::read_untrusted has it.
RunRecord read_run(const std::filesystem::path& path, const SystemTable& table = systems());

// The value at `keys`, one a level; null when there is none.
const Json* find(const Json& json, std::initializer_list<std::string_view> keys);
// Numbers beyond 1e100 count as none, so that sums and ranges stay finite.
std::optional<double> number_at(const Json& json, std::initializer_list<std::string_view> keys);
std::string text_at(const Json& json, std::initializer_list<std::string_view> keys);  // empty when there is no string
Confusion confusion_at(const Json& json, std::initializer_list<std::string_view> keys);

}  // namespace frugal::report
