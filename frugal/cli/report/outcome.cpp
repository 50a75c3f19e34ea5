#include "frugal/cli/report/outcome.h"

#include <algorithm>
#include <cmath>

#include "frugal/cli/report/text.h"
#include "frugal/train/run/best.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostParts = 24;
// Results that tiles and tables show by name.
constexpr std::string_view kPlaced[] = {"steps", "skipped", "seconds", "lr", "peak_rss_bytes", "floor_rss_bytes"};

bool is_flag_set(const RunRecord& run, std::string_view key) {
  const Json* flag = find(run.record, {"settings", key});
  return flag != nullptr && flag->is_boolean() && flag->get<bool>();
}

const Json* plan_row(const RunRecord& run) {
  const Json* plan = find(run.record, {"plan"});
  if (plan == nullptr) return nullptr;
  const Json* rows = plan->is_array() ? plan : find(*plan, {"rows"});
  if (rows == nullptr || !rows->is_array()) return plan;
  for (const Json& row : *rows) {
    if (text_at(row, {"method"}) == setting_text(run, "method")) return &row;
  }
  return nullptr;
}

}  // namespace

std::string judged_data(const RunRecord& run) {
  for (const Evaluation& each : run.evaluations) {
    if (each.data == "dev") return each.data;
  }
  return run.evaluations.empty() ? "dev" : run.evaluations.front().data;
}

Judge judge_of(const RunRecord& run) {
  std::string chosen = text_at(run.record, {"results", "best", "metric_name"}), of_system;
  if (chosen.empty()) chosen = setting_text(run, "dev_metric");
  if (!run.kind.is_tune() && run.kind.system != nullptr && !run.kind.system->metrics.empty())
    of_system = run.kind.system->metrics.front().name;
  const std::string data = judged_data(run);
  for (const std::string& key :
       {chosen, of_system, std::string(is_flag_set(run, "balance") ? "balanced_accuracy" : "accuracy"),
        std::string("balanced_accuracy"), std::string("perplexity"), std::string("loss")}) {
    if (!key.empty() && !run.evaluation_curve(data, key).empty()) return {key, run.kind.is_lower_better(key)};
  }
  if (!chosen.empty() && number_at(run.record, {"results", "best", "metric"}))  // results without events
    return {chosen, run.kind.is_lower_better(chosen)};
  return {};
}

std::optional<Best> best_of(const RunRecord& run, const Judge& judge) {
  if (judge.key.empty()) return {};
  const std::string data = judged_data(run);
  const Json* recorded = find(run.record, {"results", "best"});
  if (const auto step = recorded != nullptr ? number_at(*recorded, {"step"}) : std::nullopt) {
    Best best{.step = run.in_units(*step),
              .metric = number_at(*recorded, {"metric"}),
              .loss = number_at(*recorded, {"loss"})};
    for (const Evaluation& each : run.evaluations) {
      if (each.data == data && each.step == best.step && !best.metric) best.metric = each.value(judge.key);
    }
    if (best.metric) return best;
  }
  if (run.kind.is_last_best) {
    for (auto each = run.evaluations.rbegin(); each != run.evaluations.rend(); ++each) {
      if (each->data == data && each->value(judge.key))
        return Best{each->step, each->value(judge.key), each->value("loss")};
    }
    return {};
  }
  BestEvaluation best;
  for (const Evaluation& each : run.evaluations) {
    const auto value = each.data == data ? each.value(judge.key) : std::nullopt;
    if (!value) continue;
    best.offer(static_cast<std::int64_t>(each.step), judge.is_lower_better ? -*value : *value,
               each.value("loss").value_or(0));
  }
  if (best.step < 0) return {};
  return Best{static_cast<double>(best.step), judge.is_lower_better ? -best.metric : best.metric, best.loss};
}

std::string place(const RunRecord& run, double at) { return run.step_name + " " + number(at); }

std::string setting_text(const RunRecord& run, std::string_view key) { return text_at(run.record, {"settings", key}); }

std::string model_name(const RunRecord& run) {
  std::string path = text_at(run.record, {"base", "path"});
  const auto& choices = run.kind.choices;  // a --model that is a plug-in is named with the action
  if (const std::string set = setting_text(run, "model");
      path.empty() && std::find(choices.begin(), choices.end(), set) == choices.end())
    path = set;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

std::optional<double> planned_steps(const RunRecord& run) {
  if (run.step_name == "step") return number_at(run.record, {"settings", "steps"});
  return run.most_steps > 0 ? std::optional(run.most_steps) : std::nullopt;
}

std::optional<double> learning_rate_of(const RunRecord& run) {
  for (const auto& rate : {number_at(run.record, {"results", "lr"}), number_at(run.record, {"lr_race", "lr"}),
                           number_at(run.record, {"settings", "lr"})}) {
    if (rate) return rate;
  }
  return {};
}

std::optional<double> seconds_of(const RunRecord& run) {
  if (const auto seconds = number_at(run.record, {"results", "seconds"})) return seconds;
  const Curve& clock = run.curve("seconds");
  return clock.empty() ? std::nullopt : std::optional(clock.y.back());
}

std::optional<double> seconds_per_step(const RunRecord& run) {
  std::vector<double> seconds = slope(run.curve("seconds")).y;
  if (seconds.empty()) return {};
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

std::optional<double> peak_bytes(const RunRecord& run) { return number_at(run.record, {"results", "peak_rss_bytes"}); }

std::optional<double> final_training_loss(const RunRecord& run) {
  const Curve& loss = run.curve("loss");
  if (loss.empty()) return {};
  return running_mean(loss, smoothing_window(loss.size())).y.back();
}

Confusion final_confusion(const RunRecord& run, std::string& of) {
  of = "test";
  Confusion table = confusion_at(run.record, {"results", "test", "confusion"});
  if (!table.empty()) return table;
  table = confusion_at(run.record, {"results", "confusion"});
  of = "";
  if (!table.empty()) return table;
  const auto best = best_of(run, judge_of(run));
  for (const Evaluation& each : run.evaluations) {  // of the best step, or else the last there is
    if (each.confusion.empty()) continue;
    table = each.confusion;
    of = each.data + ", " + place(run, each.step);
    if (best && each.step == best->step) break;
  }
  return table;
}

std::vector<std::pair<std::string, double>> other_results(const RunRecord& run, std::size_t most) {
  const Json* results = find(run.record, {"results"});
  if (results == nullptr || !results->is_object()) return {};
  std::vector<std::pair<std::string, double>> out;
  const Judge judge = judge_of(run);
  const bool has_best = best_of(run, judge).has_value();  // and is shown with its place
  for (const auto& [name, value] : results->items()) {
    const bool is_count = name.starts_with(run.step_name + "s") && value == run.last_step;  // has a tile of its own
    if (is_count || (has_best && (name == "best_" + run.step_name || name == judged_data(run) + "_" + judge.key)))
      continue;
    if (std::find(std::begin(kPlaced), std::end(kPlaced), name) != std::end(kPlaced) || out.size() == most) continue;
    if (name == "train_loss" && final_training_loss(run)) continue;
    if (const auto found = number_at(*results, {name})) out.emplace_back(name, *found);
  }
  return out;
}

std::string result_text(const std::string& name, double value) {
  if (name.ends_with("_bytes")) return memory(value);
  if (name == "seconds" || name.ends_with("_seconds")) return duration(value);
  return value == std::floor(value) && std::abs(value) >= 2 ? number(value) : metric(value);
}

std::vector<std::pair<std::string, double>> planned_memory(const RunRecord& run) {
  const Json* row = plan_row(run);
  const Json* parts = row == nullptr ? nullptr : find(*row, {"parts"});
  if (parts == nullptr || !parts->is_structured()) return {};
  std::vector<std::pair<std::string, double>> out;
  for (const auto& [key, value] : parts->items()) {
    const std::string purpose = parts->is_object() ? key : text_at(value, {"purpose"});
    const auto bytes = parts->is_object() ? number_at(*parts, {key}) : number_at(value, {"bytes"});
    if (bytes && *bytes > 0 && out.size() < kMostParts) out.emplace_back(purpose, *bytes);
  }
  return out;
}

}  // namespace frugal::report
