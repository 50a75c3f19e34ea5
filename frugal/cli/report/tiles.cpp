// The figures one looks for first.
#include <algorithm>
#include <cmath>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostOthers = 12, kMostOfTest = 9;

std::string tile(const std::string& name, const std::string& value, const std::string& more) {
  return "<div class=\"tile\"><span>" + escape(name) + "</span><b>" + escape(value) + "</b><small>" + escape(more) +
         "</small></div>\n";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : " \xC2\xB7 ") + part;  // a middle dot
  return text;
}

std::string best_tile(const RunRecord& run) {
  const Judge judge = judge_of(run);
  const auto best = best_of(run, judge);
  if (!best) return {};
  std::vector<std::string> more = {words_of(judge.key) + ", " + place(run, best->step)};
  const std::string data = judged_data(run);
  const Curve curve = run.evaluation_curve(data, judge.key);
  if (!curve.empty() && curve.x.front() == 0)
    more.push_back((run.kind.is_tune() ? "base " : "at the start ") + metric(curve.y.front()));
  return tile((run.kind.is_last_best ? "At the end on " : "Best on ") + data, metric(*best->metric), joined(more));
}

std::string test_tile(const RunRecord& run) {
  const Json* test = find(run.record, {"results", "test"});
  if (test == nullptr || !test->is_object()) return {};
  std::string value;
  std::vector<std::string> more;
  std::vector<std::string> keys = {"accuracy",
                                   "balanced_accuracy",
                                   "exact_match",
                                   "rewards/accuracies",
                                   "rewards/margins",
                                   "perplexity",
                                   "f1",
                                   "rougeL",
                                   "loss"};
  if (!run.kind.is_tune() && run.kind.system != nullptr) {
    for (const Metric& each : run.kind.system->metrics) std::erase(keys, each.name);
    for (auto each = run.kind.system->metrics.rbegin(); each != run.kind.system->metrics.rend(); ++each)
      keys.insert(keys.begin(), std::string(each->name));
  }
  for (const std::string& key : keys) {
    const auto found = number_at(*test, {key});
    if (!found || more.size() == kMostOfTest) continue;
    if (value.empty())
      value = metric(*found), more.push_back(words_of(key));
    else
      more.push_back(words_of(key) + " " + metric(*found));
  }
  return value.empty() ? value : tile("On test", value, joined(more));
}

std::string loss_tile(const RunRecord& run) {
  const auto last = final_training_loss(run);
  if (!last) return {};
  const Curve& loss = run.curve("loss");
  const double first = running_mean(loss, smoothing_window(loss.size())).y.front();
  return tile("Training loss", metric(*last),
              loss.size() > 1 ? "mean at the end; " + metric(first) + " at the start" : "of one step");
}

std::string steps_tile(const RunRecord& run) {
  const auto planned = planned_steps(run);
  std::vector<std::string> more;
  if (planned && *planned != run.last_step) more.push_back("of " + count(*planned));
  if (const auto rate = learning_rate_of(run)) more.push_back("learning rate " + number(*rate));
  if (!run.skipped.empty()) more.push_back(count(static_cast<double>(run.skipped.size())) + " skipped");
  return tile(title_of(run.step_name) + "s", number(run.last_step), joined(more));
}

std::string time_tile(const RunRecord& run) {
  const auto whole = seconds_of(run), step = seconds_per_step(run);
  if (!whole) return {};
  std::vector<std::string> more;
  if (step) more.push_back(duration(*step) + " " + one_of(run.step_name));
  const auto batch = number_at(run.record, {"settings", "batch"});
  if (step && batch && run.curve("tokens").empty() && run.step_name == "step")
    more.push_back(number(std::round(*batch / *step * 100) / 100) + " examples/s");
  return tile("Time", duration(*whole), joined(more));
}

std::string memory_tile(const RunRecord& run) {
  const auto peak = peak_bytes(run);
  if (!peak) return {};
  std::vector<std::string> more;
  double planned = 0;
  for (const auto& [purpose, bytes] : planned_memory(run)) planned += bytes;
  if (planned > 0) more.push_back("planned " + memory(planned));
  const auto limit = number_at(run.record, {"settings", "memory"});
  if (limit && *limit > 0) more.push_back("allowed " + memory(*limit));
  if (more.empty()) more.push_back("resident, whole process");
  return tile("Peak memory", memory(*peak), joined(more));
}

// Numbers of the results that no other tile shows.
std::string other_tiles(const RunRecord& run) {
  std::string out;
  for (const auto& [name, value] : other_results(run, kMostOthers))
    out += tile(title_of(name), result_text(name, value), run.kind.unit_of(name));
  return out;
}

}  // namespace

std::string tiles(const RunRecord& run) {
  return "<div class=\"tiles\">" + best_tile(run) + test_tile(run) + loss_tile(run) + other_tiles(run) +
         steps_tile(run) + time_tile(run) + memory_tile(run) + "</div>\n";
}

}  // namespace frugal::report
