#include "frugal/cli/sweep.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>

#include "frugal/base/atomic_file.h"
#include "frugal/base/handed.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/report_error.h"
#include "frugal/cli/sweep_job.h"
#include "frugal/train/loop/loop.h"

namespace frugal {
namespace {

constexpr std::size_t kMostCells = 10000;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

// "0:0.5:0.1" as its values; another text as itself.
std::vector<std::string> values_of(const std::string& option, const std::string& text) {
  const std::size_t first = text.find(':'), second = first == text.npos ? text.npos : text.find(':', first + 1);
  if (second == text.npos) return {text};
  const auto from = number_of(text.substr(0, first)), to = number_of(text.substr(first + 1, second - first - 1)),
             by = number_of(text.substr(second + 1));
  if (!from || !to || !by) return {text};
  const double count = std::floor((*to - *from) / *by + 1e-9) + 1;
  if (!(*by != 0 && count >= 1 && count <= static_cast<double>(kMostCells))) {
    throw Error(Exit::usage, "--sweep " + option + "=" + text + " counts no values, expected from:to:step",
                "--sweep noise=0:0.5:0.1 has six values");
  }
  std::vector<std::string> values;
  for (int i = 0; i < static_cast<int>(count); ++i) {
    char shown[32];
    std::snprintf(shown, sizeof shown, "%.10g", *from + i * *by);
    values.emplace_back(shown);
  }
  return values;
}

bool is_own_field(const Action& action, std::string_view name) {
  return std::any_of(action.fields.begin(), action.fields.end(),
                     [&](const FieldInfo& info) { return info.field.name == name; });
}

// The action that a cell runs: the asked one, or the one it sweeps.
Asked cell_action(const Asked& asked) {
  Asked cell{asked.system, asked.action, {}};
  if (!asked.action->sweeps.empty()) cell.action = asked.system->find(asked.action->sweeps);
  return cell;
}

// What the sweep itself takes, or sets for each cell. An action may have seeds of its own.
bool is_of_sweep(const Asked& asked, std::string_view name) {
  for (const char* own : {"out", "resume", "json", "quiet", "dry_run", "threads"}) {
    if (name == own) return true;
  }
  if (name == "over") return !asked.action->sweeps.empty();
  return (name == "seeds" || name == "sweep") && !is_own_field(*asked.action, name);
}

std::vector<std::string> words_of(const Asked& asked, const Settings& settings) {
  std::vector<std::string> words;
  for (const char* field : {"over", "sweep"}) {
    if (!settings.has(field) || !is_of_sweep(asked, field)) continue;
    const auto own = settings.at(field).value.get<std::vector<std::string>>();
    words.insert(words.end(), own.begin(), own.end());
  }
  return words;
}

std::int64_t seeds_of(const Asked& asked, const RunConfig& run) { return is_of_sweep(asked, "seeds") ? run.seeds : 1; }

// Error(Exit::usage): none, one that each cell has anyway, more than there may be.
std::vector<SweptOption> options_of(const Asked& asked, const Settings& settings, const RunConfig& run) {
  std::vector<SweptOption> options = parse_sweep(words_of(asked, settings));
  const std::int64_t seeds = seeds_of(asked, run);
  if (seeds > static_cast<std::int64_t>(kMostCells) || run.seed > std::numeric_limits<std::int64_t>::max() - seeds) {
    throw Error(Exit::usage,
                "--seeds is " + std::to_string(seeds) + " from --seed " + std::to_string(run.seed) +
                    ", expected at most " + std::to_string(kMostCells),
                "--seeds 5 shows the spread");
  }
  if (seeds > 1) {
    SweptOption each{"seed", {}};
    for (std::int64_t i = 0; i < seeds; ++i) each.values.push_back(std::to_string(run.seed + i));
    options.push_back(std::move(each));
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string& name = options[i].name;
    if (is_of_sweep(asked, name))
      throw Error(Exit::usage, flag_name(name) + " cannot be swept: each run has its own, and one thread",
                  "sweep another option");
    if (name == "seed" && seeds > 1 && i + 1 < options.size())
      throw Error(Exit::usage, "--seeds is " + std::to_string(seeds) + ", but seed is swept, too",
                  "leave one of them out");
  }
  if (options.empty()) throw Error(Exit::usage, "--over is missing", "--over window=5,10,20");
  return options;
}

// What all cells are given: the options of the sweep but those that it sets, and of the environment what only some of
// the cells' choices have.
std::vector<GivenValue> given_of(const Asked& asked, const Settings& settings,
                                 const std::vector<SweptOption>& options) {
  const auto is_left_out = [&](std::string_view name) {
    return is_of_sweep(asked, name) ||
           std::any_of(options.begin(), options.end(), [&](const SweptOption& option) { return option.name == name; });
  };
  std::vector<GivenValue> given;
  for (GivenValue& value : environment_of(*cell_action(asked).action)) {
    if (!settings.has(value.name) && !is_left_out(value.name)) given.push_back(std::move(value));
  }
  for (const FieldInfo& info : settings.fields()) {
    const std::string name(info.field.name);
    if (settings.is_given(name) && !is_left_out(name))
      given.push_back({name, settings.at(name).value, settings.at(name).origin});
  }
  return given;
}

// A plan as a record keeps it, under settings["swept"].
Json record_of(const SweepPlan& plan) {
  Json given = Json::object(), options = Json::object();
  for (const GivenValue& value : plan.given) given[value.name] = {{"value", value.value}, {"from", value.origin}};
  for (const SweptOption& option : plan.options) options[option.name] = option.values;
  return {{"options", options}, {"given", given}, {"folder", plan.folder}};
}

SweepPlan plan_of(const Asked& asked, const Json& swept) {
  if (!swept.is_object()) {
    throw Error(Exit::input, "the sweep was begun by an earlier version of frugal, which kept its settings another way",
                "begin it again with another --out");
  }
  SweepPlan plan{.action = cell_action(asked),
                 .given = {},
                 .options = {},
                 .folder = swept.at("folder").get<std::string>(),
                 .metric = {}};
  for (const auto& [name, value] : swept.at("given").items())
    plan.given.push_back({name, value.at("value"), value.at("from").get<std::string>()});
  for (const auto& [name, values] : swept.at("options").items())
    plan.options.push_back({name, values.get<std::vector<std::string>>()});
  if (!asked.system->metrics.empty()) plan.metric = asked.system->metrics.front().name;
  return plan;
}

class Silence {
 public:
  Silence() { set_quiet(true); }
  ~Silence() { set_quiet(was_quiet_); }

 private:
  const bool was_quiet_ = is_quiet();
};

// Refuses before anything runs. Seeds that follow each other differ in nothing that a check looks at.
void check_cells(const SweepPlan& plan, const std::string& out, std::size_t seeds) {
  const Silence silence;
  const std::vector<Cell> cells = cells_of(plan.options);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    try {
      const Settings settings = cell_settings(plan, cells[i], (std::filesystem::path(out) / cell_name(i, cells[i])));
      if (i % seeds == 0) plan.action.action->check(settings);
    } catch (const Error& error) {
      std::string which;
      for (const auto& [name, value] : cells[i]) which += (which.empty() ? "" : ", ") + name + " " + value;
      throw Error(error.code(), std::string(error.what()) + " (of the run with " + which + ")", error.fix());
    }
  }
  handed() = {};  // what checks kept for a library: each cell reads its own
}

int show_cells(const SweepPlan& plan, bool json) {
  const Json record = record_of(plan);
  const std::size_t runs = cells_of(plan.options).size();
  if (json) {
    print_json(
        {{"action", plan.action.name()}, {"runs", runs}, {"swept", record["options"]}, {"given", record["given"]}});
    return 0;
  }
  std::cout << runs << " runs of frugal " << plan.action.name() << '\n';
  for (const SweptOption& option : plan.options) {
    std::cout << "  " << option.name;
    for (const std::string& value : option.values) std::cout << ' ' << value;
    std::cout << '\n';
  }
  std::cout << "their settings are good; none was started\n";
  return 0;
}

}  // namespace

std::vector<SweptOption> parse_sweep(const std::vector<std::string>& words) {
  std::vector<SweptOption> options;
  for (const std::string& word : words) {
    std::string text = word;
    if (const std::size_t at = word.find('='); at != word.npos) {
      const std::string name = key_name(word.substr(0, at));
      const bool is_known =
          std::any_of(options.begin(), options.end(), [&](const SweptOption& each) { return each.name == name; });
      if (name.empty() || is_known) {
        throw Error(Exit::usage, "--sweep " + word + (is_known ? " names an option again" : " names no option"),
                    "--sweep window=5,10,20");
      }
      options.push_back({name, {}});
      text = word.substr(at + 1);
    } else if (options.empty()) {
      throw Error(Exit::usage, "--sweep is '" + word + "', expected an option and its values",
                  "--sweep window=5,10,20");
    }
    for (std::string& value : values_of(options.back().name, text)) options.back().values.push_back(std::move(value));
    if (options.back().values.size() > kMostCells || text.empty()) {
      throw Error(Exit::usage,
                  "--sweep " + options.back().name + " has " +
                      (text.empty() ? "an empty value" : "more than " + std::to_string(kMostCells)),
                  "--sweep window=5,10,20");
    }
  }
  return options;
}

std::vector<Cell> cells_of(const std::vector<SweptOption>& options) {
  std::vector<Cell> cells = {{}};
  for (const SweptOption& option : options) {
    if (cells.size() * option.values.size() > kMostCells)
      throw Error(Exit::usage, "--sweep makes more than " + std::to_string(kMostCells) + " runs", "sweep fewer values");
    std::vector<Cell> more;
    for (const Cell& cell : cells) {
      for (const std::string& value : option.values) {
        more.push_back(cell);
        more.back().emplace_back(option.name, value);
      }
    }
    cells = std::move(more);
  }
  return cells;
}

bool is_sweep(const Asked& asked, const Settings& settings) {
  return seeds_of(asked, from_json<RunConfig>(settings.values())) > 1 || !words_of(asked, settings).empty() ||
         !asked.action->sweeps.empty();
}

bool is_swept(const std::string& run) {
  const Json record = json_of(read_file(std::filesystem::path(run) / "run.json", kMostSettings));
  return record.is_object() && record.value("settings", Json::object()).contains("swept");
}

int run_sweep(const Asked& asked, const Settings& settings, const RunConfig& run) {
  SweepPlan plan{.action = cell_action(asked),
                 .given = {},
                 .options = options_of(asked, settings, run),
                 .folder = std::filesystem::current_path().string(),
                 .metric = {}};
  plan.given = given_of(asked, settings, plan.options);
  const std::size_t cells = cells_of(plan.options).size();
  // A dry run may have no --out: then there is no place to judge.
  const std::string out =
      run.out.empty() ? (std::filesystem::temp_directory_path() / ("frugal-" + std::to_string(::getpid()))).string()
                      : run.out;
  check_cells(plan, out, static_cast<std::size_t>(seeds_of(asked, run)));
  if (run.dry_run) return show_cells(plan, run.json);
  Json all = settings.values();
  all["swept"] = record_of(plan);
  all["checkpoint_every"] = 1;
  all["eval_every"] = std::max<std::size_t>(1, cells / 50);  // how often the table is drawn
  return run_sweep_again(asked, all);
}

int run_sweep_again(const Asked& asked, const Json& settings) {
  catch_interrupts();
  const auto make = [asked](const Json& of_run, const JobContext& context) {
    return make_sweep_job(plan_of(asked, of_run["swept"]), context);
  };
  const int code = run_job(make, {asked.name(), settings});
  if (code != 0) return code;
  const auto run = from_json<RunConfig>(settings);
  const Json results = RunFolder::read_record(run.resume.empty() ? run.out : run.resume)["results"];
  if (!results.contains("error")) return 0;
  if (!run.json) report_error(Exit::diverged, results["error"], results["fix"], false);  // its results say it, too
  return static_cast<int>(Exit::diverged);
}

}  // namespace frugal
