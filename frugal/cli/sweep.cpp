#include "frugal/cli/sweep.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
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

// The options as a command line has them, but for those that a sweep decides.
std::vector<std::string> arguments_of(const Settings& settings) {
  constexpr std::string_view kOfSweep[] = {"out",  "resume", "seeds",   "sweep",   "over",
                                           "json", "quiet",  "dry_run", "threads", "checkpoint_every"};
  std::vector<std::string> arguments;
  for (const FieldInfo& info : settings.fields()) {
    const std::string_view name = info.field.name;
    if (!settings.is_given(name) || std::find(std::begin(kOfSweep), std::end(kOfSweep), name) != std::end(kOfSweep))
      continue;
    const Json& value = settings.at(name).value;
    const std::string flag = flag_name(name);
    if (info.type == "flag") {
      arguments.push_back(value.get<bool>() ? flag : "--no-" + flag.substr(2));
      continue;
    }
    std::string text;
    if (value.is_array()) {
      for (const Json& item : value) text += (text.empty() ? "" : ",") + item.get<std::string>();
    } else {
      text = value.is_string() ? value.get<std::string>() : value.dump();
    }
    arguments.insert(arguments.end(), {flag, text});
  }
  return arguments;
}

// The action that a cell runs: the asked one, or the one it sweeps.
Asked cell_action(const Asked& asked) {
  Asked cell = asked;
  if (!asked.action->sweeps.empty()) cell.action = asked.system->find(asked.action->sweeps);
  return cell;
}

std::vector<std::string> words_of(const Settings& settings) {
  std::vector<std::string> words;
  for (const char* field : {"over", "sweep"}) {
    if (!settings.has(field)) continue;
    const auto own = settings.at(field).value.get<std::vector<std::string>>();
    words.insert(words.end(), own.begin(), own.end());
  }
  return words;
}

bool is_own_field(const Action& action, std::string_view name) {
  return std::any_of(action.fields.begin(), action.fields.end(),
                     [&](const FieldInfo& info) { return info.field.name == name; });
}

JobTable::MakeJob maker(const Asked& asked) {
  return [asked](const Json& settings, const JobContext& context) {
    SweepPlan plan;
    plan.verb = cell_action(asked).name();
    plan.arguments = settings["arguments"].get<std::vector<std::string>>();
    for (const Json& option : settings["swept"])
      plan.options.push_back({option["name"].get<std::string>(), option["values"].get<std::vector<std::string>>()});
    if (!asked.system->metrics.empty()) plan.metric = asked.system->metrics.front().name;
    return make_sweep_job(std::move(plan), context);
  };
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
    std::vector<Cell> more;
    for (const Cell& cell : cells) {
      for (const std::string& value : option.values) {
        more.push_back(cell);
        more.back().emplace_back(option.name, value);
      }
    }
    cells = std::move(more);
    if (cells.size() > kMostCells)
      throw Error(Exit::usage, "--sweep makes more than " + std::to_string(kMostCells) + " runs", "sweep fewer values");
  }
  return cells;
}

bool is_sweep(const Asked& asked, const Settings& settings) {
  const bool has_seeds = !is_own_field(*asked.action, "seeds") && settings.at("seeds").value.get<std::int64_t>() > 1;
  return has_seeds || !words_of(settings).empty() || !asked.action->sweeps.empty();
}

bool is_swept(const std::string& run) {
  const Json record = json_of(read_file(std::filesystem::path(run) / "run.json"));
  return record.is_object() && record.value("settings", Json::object()).contains("swept");
}

int run_sweep(const Asked& asked, const Settings& settings, const RunConfig& run) {
  std::vector<SweptOption> options = parse_sweep(words_of(settings));
  if (!is_own_field(*asked.action, "seeds") && run.seeds > 1) {
    SweptOption seeds{"seed", {}};
    for (std::int64_t i = 0; i < run.seeds; ++i) seeds.values.push_back(std::to_string(run.seed + i));
    options.push_back(std::move(seeds));
  }
  if (options.empty()) throw Error(Exit::usage, "--over is missing", "--over window=5,10,20");
  const std::vector<std::string> arguments = arguments_of(settings);
  Asked cell = cell_action(asked);
  for (const Cell& values : cells_of(options)) {  // refused before anything runs
    cell.arguments = arguments;
    for (const auto& [name, value] : values) cell.arguments.insert(cell.arguments.end(), {flag_name(name), value});
    cell.action->check(parse_arguments(cell).settings);
  }
  Json all = settings.values();
  all["arguments"] = arguments;
  all["swept"] = Json::array();
  for (const SweptOption& option : options) all["swept"].push_back({{"name", option.name}, {"values", option.values}});
  all["checkpoint_every"] = 1;
  catch_interrupts();
  return run_job(maker(asked), {asked.name(), all});
}

int resume_sweep(const Asked& asked, const Json& given) {
  catch_interrupts();
  return run_job(maker(asked), {asked.name(), given});
}

int repeat_sweep(const Asked& asked, const Json& settings) { return resume_sweep(asked, settings); }

}  // namespace frugal
