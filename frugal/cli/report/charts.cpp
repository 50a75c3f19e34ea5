#include "frugal/cli/report/charts.h"

#include <algorithm>
#include <cmath>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

using Runs = std::vector<RunRecord>;

constexpr std::size_t kMostData = 4, kMostOther = 12;

// Keys of step events that have a plot of their own making below; any other number gets a plain one.
constexpr std::string_view kKnownSteps[] = {"loss",    "lr",     "projected_gradients", "gradient_norm",
                                            "seconds", "tokens", "active_block"};
// Numbers of step events that say where a step is: what the axis has.
constexpr std::string_view kPlaces[] = {"epoch", "epochs", "round", "rounds"};
// Numbers of evaluations that are no metric.
constexpr std::string_view kNoMetrics[] = {"examples", "seconds", "tokens", "target_tokens", "new_tokens"};

template <class List>
bool contains(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

void add(std::vector<Plot>& plots, Plot plot) {
  if (!plot.empty()) plots.push_back(std::move(plot));
}

std::string line_name(const Runs& runs, const RunRecord& run, const std::string& alone) {
  return runs.size() > 1 ? run.name : alone;
}

// What all of them count it in; empty where they differ.
std::string unit_of(const Runs& runs, std::string_view key) {
  const std::string unit = runs.front().kind.unit_of(key);
  const bool is_shared =
      std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return run.kind.unit_of(key) == unit; });
  return is_shared ? unit : "";
}

// What all of them count their steps in.
std::string step_name(const Runs& runs) {
  const std::string& name = runs.front().step_name;
  const bool is_shared =
      std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return run.step_name == name; });
  return is_shared ? name : "step";
}

std::string several(const RunRecord& run, std::size_t steps) {  // "7 steps", "500 rounds"
  return number(static_cast<double>(steps) * run.step_size) + " " + run.step_name + "s";
}

std::string each_of(const RunRecord& run) {  // what a single value is of
  return "each " + (run.step_size == 1 ? run.step_name : several(run, 1));
}

// A noisy quantity: one run as a mean over single values, several as their means.
Plot noisy(const Runs& runs, std::string_view key, std::string title, std::string unit) {
  Plot plot{.title = std::move(title), .unit = std::move(unit), .x_name = step_name(runs)};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Curve& raw = runs[i].curve(key);
    const std::size_t window = smoothing_window(raw.size());
    Line line{.name = line_name(runs, runs[i], window > 1 ? "mean of " + several(runs[i], window) : ""),
              .curve = running_mean(raw, window),
              .color = i};
    if (runs.size() == 1 && window > 1) line.raw = raw;
    plot.lines.push_back(std::move(line));
  }
  plot.raw_name = each_of(runs.front());
  return plot;
}

Plot from_zero(Plot plot) {
  plot.from_zero = true;
  return plot;
}

Plot loss_plot(const Runs& runs) {
  Plot plot = noisy(runs, "loss", "Training loss", unit_of(runs, "loss"));
  if (runs.size() == 1 && !runs[0].skipped.empty()) {
    plot.alarms = runs[0].skipped;
    plot.alarm = "skipped, the loss was not finite";
    plot.note = count(static_cast<double>(runs[0].skipped.size())) + " skipped (red, at the top).";
  }
  return plot;
}

std::string mark_text(const RunRecord& run, const Best& best, double value) {
  return (run.kind.is_last_best ? "at the end: " : "best: ") + place(run, best.step) + ", " + metric(value);
}

void mark_best(Plot& plot, const RunRecord& run, std::size_t color, std::string_view data, std::string_view key) {
  if (data != judged_data(run)) return;
  const auto best = best_of(run, judge_of(run));
  if (!best) return;
  const Curve curve = run.evaluation_curve(data, key);
  if (curve.empty()) return;
  const std::size_t i = nearest(curve, best->step);
  if (curve.x[i] == best->step)
    plot.marks.push_back({best->step, curve.y[i], mark_text(run, *best, curve.y[i]), color});
}

// A number that each step has, too, is drawn once: "validation_loss" of steps is "loss" on validation.
bool is_in_steps(const Runs& runs, const std::string& data, const std::string& key) {
  return std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) {
    return run.evaluation_curve(data, key).empty() || !run.curve(data + "_" + key).empty();
  });
}

// Of one run, on such a curve.
void mark_best_step(Plot& plot, const RunRecord& run, const std::string& key) {
  const auto best = best_of(run, judge_of(run));
  const Curve& curve = run.curve(key);
  if (!best || curve.empty() || !key.starts_with(judged_data(run) + "_")) return;
  const std::size_t i = nearest(curve, best->step);
  if (curve.x[i] == best->step) plot.marks.push_back({best->step, curve.y[i], mark_text(run, *best, curve.y[i]), 0});
}

std::vector<std::string> data_names(const Runs& runs) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs) {
    for (const Evaluation& each : run.evaluations) {
      if (!contains(names, each.data) && names.size() < kMostData) names.push_back(each.data);
    }
  }
  return names;
}

std::vector<std::string> metric_keys(const Runs& runs, const std::string& data) {
  std::vector<std::string> keys;
  for (const RunRecord& run : runs) {
    for (const Evaluation& each : run.evaluations) {
      if (each.data != data) continue;
      for (const auto& [key, value] : each.values) {
        const bool is_drawn = contains(keys, key) || contains(kNoMetrics, key) || is_in_steps(runs, data, key);
        if (!is_drawn && keys.size() < kMostOther) keys.push_back(key);
      }
    }
  }
  return keys;
}

bool is_share(const Runs& runs, std::string_view data, const std::string& key) {
  if (key == "loss" || key == "perplexity") return false;
  return std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) {
    const Curve curve = run.evaluation_curve(data, key);
    return std::all_of(curve.y.begin(), curve.y.end(), [](double y) { return y >= 0 && y <= 1; });
  });
}

Plot metric_plot(const Runs& runs, const std::string& data, const std::string& key) {
  Plot plot{.title = title_of(key) + " on " + data, .unit = unit_of(runs, key), .x_name = step_name(runs)};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    plot.lines.push_back({.name = line_name(runs, runs[i], ""),
                          .curve = runs[i].evaluation_curve(data, key),
                          .color = i,
                          .has_dots = true});
    mark_best(plot, runs[i], i, data, key);
  }
  return plot;
}

// One run's metrics between 0 and 1 share a plot; those of several runs have one each.
void add_metrics(std::vector<Plot>& plots, const Runs& runs, const std::string& data) {
  Plot shares{.title = "Metrics on " + data, .x_name = step_name(runs)};
  std::vector<Plot> others;
  for (const std::string& key : metric_keys(runs, data)) {
    if (runs.size() == 1 && is_share(runs, data, key)) {
      const std::size_t color = shares.lines.size();
      shares.lines.push_back(
          {.name = title_of(key), .curve = runs[0].evaluation_curve(data, key), .color = color, .has_dots = true});
      if (key == judge_of(runs[0]).key) mark_best(shares, runs[0], color, data, key);
    } else {
      others.push_back(metric_plot(runs, data, key));
    }
  }
  if (shares.lines.size() == 1 && !runs[0].kind.is_tune()) shares.title = shares.lines[0].name + " on " + data;
  add(plots, std::move(shares));
  for (Plot& plot : others) add(plots, std::move(plot));
}

// What matters where time is short: the deciding metric over minutes.
Plot metric_over_time(const Runs& runs) {
  const auto balanced = std::find_if(runs.begin(), runs.end(),
                                     [](const RunRecord& run) { return judge_of(run).key == "balanced_accuracy"; });
  const Judge judge = judge_of(balanced == runs.end() ? runs.front() : *balanced);
  Plot plot{.title = title_of(judge.key) + " over time",
            .unit = unit_of(runs, judge.key),
            .x_name = "minutes",
            .whole_x = false};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Line line{.name = runs[i].name, .curve = {}, .color = i, .has_dots = true};
    const std::string data = judged_data(runs[i]);
    for (const Evaluation& each : runs[i].evaluations) {
      const auto value = each.value(judge.key), seconds = each.value("seconds");
      if (each.data != data || !value || !seconds) continue;
      line.curve.cut_from(*seconds / 60);
      line.curve.add(*seconds / 60, *value);
    }
    plot.lines.push_back(std::move(line));
  }
  return plot;
}

Plot rate_plot(const Runs& runs) {
  Plot plot{.title = "Learning rate", .x_name = step_name(runs), .from_zero = true};
  for (std::size_t i = 0; i < runs.size(); ++i)
    plot.lines.push_back({.name = line_name(runs, runs[i], ""), .curve = runs[i].curve("lr"), .color = i});
  return plot;
}

// Seconds a step, or tokens a second, without the evaluations and snapshots between: medians of a few steps.
Plot speed_plot(const Runs& runs, bool is_throughput) {
  Plot plot{.title = is_throughput ? "Throughput" : "Seconds per " + step_name(runs),
            .unit = is_throughput ? "tokens/s" : "s",
            .note = is_throughput ? "" : "Medians; single steps include the evaluation or snapshot before them.",
            .x_name = step_name(runs),
            .from_zero = true};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Curve curve = slope(runs[i].curve("seconds"));
    if (is_throughput) {
      const Curve& tokens = runs[i].curve("tokens");
      Curve rate;
      for (std::size_t k = 0; k < curve.size() && !tokens.empty(); ++k) {
        const std::size_t at = nearest(tokens, curve.x[k]);
        if (tokens.x[at] == curve.x[k]) rate.add(curve.x[k], tokens.y[at] / curve.y[k]);
      }
      curve = std::move(rate);
    }
    const std::size_t window = std::min<std::size_t>(smoothing_window(curve.size()), 101);
    Line line{.name = line_name(runs, runs[i], "median of " + several(runs[i], window)),
              .curve = running_median(curve, window),
              .color = i};
    if (runs.size() == 1 && window > 1) line.raw = curve;
    plot.lines.push_back(std::move(line));
  }
  plot.raw_name = each_of(runs.front());
  const bool is_short = std::all_of(plot.lines.begin(), plot.lines.end(), [](const Line& line) {
    return std::all_of(line.curve.y.begin(), line.curve.y.end(), [](double seconds) { return seconds < 1e-3; });
  });
  if (is_throughput || !is_short) return plot;
  plot.title = "Microseconds per " + step_name(runs);
  plot.unit = "\xC2\xB5s";
  for (Line& line : plot.lines) {
    for (double& seconds : line.curve.y) seconds *= 1e6;
    for (double& seconds : line.raw.y) seconds *= 1e6;
  }
  return plot;
}

Plot block_plot(const Runs& runs) {
  Plot plot{.title = "Active block", .x_name = step_name(runs)};
  if (runs.size() == 1) plot.y_names = runs[0].block_names;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    plot.lines.push_back(
        {.name = line_name(runs, runs[i], ""), .curve = runs[i].curve("active_block"), .color = i, .is_stepped = true});
  }
  return plot;
}

// Rates that diverged have no loss to plot and are named below.
Plot race_plot(const Runs& runs) {
  Plot plot{.title = "Learning-rate race",
            .unit = (unit_of(runs, "loss").empty() ? "loss" : unit_of(runs, "loss")) + " after a few steps",
            .x_name = "learning rate",
            .is_log_x = true,
            .whole_x = false};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Json* race = find(runs[i].record, {"lr_race", "race"});
    if (race == nullptr || !race->is_array()) continue;
    Line line{.name = line_name(runs, runs[i], ""), .curve = {}, .color = i, .has_dots = true};
    std::string diverged;
    for (const Json& row : *race) {
      const auto rate = number_at(row, {"lr"}), loss = number_at(row, {"loss"});
      if (!rate || *rate <= 1e-100 || plot.x_ticks.size() > 64) continue;
      if (std::find(plot.x_ticks.begin(), plot.x_ticks.end(), *rate) == plot.x_ticks.end() && loss)
        plot.x_ticks.push_back(*rate);
      if (!loss)
        diverged += (diverged.empty() ? "" : ", ") + number(*rate);
      else
        line.curve.cut_from(*rate), line.curve.add(*rate, *loss);
    }
    const auto chosen = number_at(runs[i].record, {"lr_race", "lr"}),
               start = number_at(runs[i].record, {"lr_race", "start_loss"});
    if (chosen && !line.curve.empty()) {
      const std::size_t at = nearest(line.curve, *chosen);
      if (line.curve.x[at] == *chosen)
        plot.marks.push_back({*chosen, line.curve.y[at], "chosen: " + number(*chosen), i});
    }
    if (runs.size() == 1 && start) plot.rule = *start, plot.rule_text = "at the start " + number(*start);
    if (!diverged.empty()) plot.note += (plot.note.empty() ? "" : " ") + std::string("Diverged: ") + diverged + ".";
    plot.lines.push_back(std::move(line));
  }
  return plot;
}

void add_others(std::vector<Plot>& plots, const Runs& runs) {
  std::vector<std::string> keys;
  for (const RunRecord& run : runs) {
    for (const auto& step : run.steps) {
      const std::string& key = step.first;
      const bool is_drawn = contains(kKnownSteps, key) || contains(kPlaces, key) || contains(keys, key) ||
                            std::any_of(run.figures.begin(), run.figures.end(),  // by a figure of the run's own
                                        [&](const FigureRecord& figure) {
                                          return name_of(figure) == key || name_of(figure) == "sweep_" + key;
                                        });
      if (!is_drawn && keys.size() < kMostOther) keys.push_back(key);
    }
  }
  for (const std::string& key : keys) {
    Plot plot = noisy(runs, key, title_of(key), unit_of(runs, key));
    if (runs.size() == 1) mark_best_step(plot, runs[0], key);
    add(plots, std::move(plot));
  }
}

}  // namespace

std::vector<Plot> plots_of(const std::vector<RunRecord>& runs) {
  std::vector<Plot> plots;
  if (runs.empty()) return plots;
  add(plots, loss_plot(runs));
  for (const std::string& data : data_names(runs)) add_metrics(plots, runs, data);
  add(plots, rate_plot(runs));
  add(plots, from_zero(noisy(runs, "projected_gradients", "Projected gradient",
                             unit_of(runs, "loss").empty() ? "mean size" : "mean size, " + unit_of(runs, "loss"))));
  add(plots, from_zero(noisy(runs, "gradient_norm", "Gradient norm", "")));
  add(plots, speed_plot(runs, false));
  add(plots, speed_plot(runs, true));
  add(plots, block_plot(runs));
  add_others(plots, runs);
  double last = 0;  // all plots over steps are as wide as the longest run
  for (const RunRecord& run : runs) last = std::max(last, run.last_step);
  for (Plot& plot : plots) plot.x_high = last;
  if (runs.size() > 1) add(plots, metric_over_time(runs));
  add(plots, race_plot(runs));
  return plots;
}

}  // namespace frugal::report
