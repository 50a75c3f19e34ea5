// How a run went, in figures: tiles, results, evaluations, confusion.
#include <algorithm>
#include <cmath>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostEvaluations = 500;  // rows; more are thinned out

std::string tile(const std::string& name, const std::string& value, const std::string& more) {
  return "<div class=\"tile\"><span>" + escape(name) + "</span><b>" + escape(value) + "</b><small>" + escape(more) +
         "</small></div>\n";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : " \xC2\xB7 ") + part;  // a middle dot
  return text;
}

std::string or_dash(const std::optional<double>& value) { return value ? number(*value) : "\xE2\x80\x93"; }

std::string metric_or_dash(const std::optional<double>& value) { return value ? metric(*value) : or_dash({}); }

std::string cell_text(std::string_view key, const std::optional<double>& value) {
  if (!value) return or_dash({});
  return key == "seconds" ? duration(*value) : key == "examples" || key == "tokens" ? count(*value) : metric(*value);
}

std::string best_tile(const RunRecord& run) {
  const Judge judge = judge_of(run);
  const auto best = best_of(run, judge);
  if (!best) return {};
  std::vector<std::string> more = {words_of(judge.key) + ", step " + count(best->step)};
  const Curve curve = run.evaluation_curve("dev", judge.key);
  if (curve.x.front() == 0) more.push_back("base " + metric(curve.y.front()));
  return tile("Best on dev", metric(*best->metric), joined(more));
}

std::string test_tile(const RunRecord& run) {
  const Json* test = find(run.record, {"results", "test"});
  if (test == nullptr || !test->is_object()) return {};
  std::string value;
  std::vector<std::string> more;
  for (const char* key : {"accuracy", "balanced_accuracy", "exact_match", "rewards/accuracies", "rewards/margins",
                          "perplexity", "f1", "rougeL", "loss"}) {
    const auto found = number_at(*test, {key});
    if (!found) continue;
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
  return tile("Steps", count(run.last_step), joined(more));
}

std::string time_tile(const RunRecord& run) {
  const auto whole = seconds_of(run), step = seconds_per_step(run);
  if (!whole) return {};
  std::vector<std::string> more;
  if (step) more.push_back(duration(*step) + " a step");
  const auto batch = number_at(run.record, {"settings", "batch"});
  if (step && batch && run.curve("tokens").empty())
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

struct Column {
  std::string name;
  std::vector<std::string> cells;
  std::vector<std::optional<double>> values = {};  // where the best is set in bold
  bool is_lower_better = false;
};

std::string table_of(const std::vector<RunRecord>& runs, const std::vector<Column>& columns) {
  std::string out = "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>run</th>";
  for (const Column& column : columns) out += "<th>" + escape(column.name) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out += "<tr><td>" + legend_entry(i, runs[i].name) + "</td>";
    for (const Column& column : columns) {
      bool is_best = !column.values.empty() && column.values[i].has_value();
      for (const auto& other : column.values) {
        if (is_best && other)
          is_best = column.is_lower_better ? *column.values[i] <= *other : *column.values[i] >= *other;
      }
      const std::string cell = escape(column.cells[i]);
      out += "<td>" + (is_best ? "<b>" + cell + "</b>" : cell) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string status_pill(const RunRecord& run) {
  const std::string status = text_at(run.record, {"status"});
  const bool is_known = status == "done" || status == "running" || status == "interrupted" || status == "diverged";
  return "<span class=\"pill " + (is_known ? status : std::string("unknown")) + "\">" +
         escape(status.empty() ? "no status" : status) + "</span>";
}

std::string notices(const RunRecord& run) {
  std::string out;
  const auto add = [&](const std::string& text) { out += "<p class=\"notice\">" + text + "</p>\n"; };
  const std::string name = "<code>" + escape(run.name) + "</code>: ";
  if (run.last_step == 0) add(name + "no step is recorded, so there are no curves yet.");
  if (text_at(run.record, {"status"}) == "running")
    add(name +
        "its record says running. Either a process is at it, or one was killed; <code>frugal tune --resume</code> goes "
        "on with it.");
  if (run.unread_lines > 0) {
    add(name + count(static_cast<double>(run.unread_lines)) + " line" + (run.unread_lines > 1 ? "s" : "") +
        " of events.jsonl could not be read and " + (run.unread_lines > 1 ? "are" : "is") + " left out.");
  }
  return out;
}

std::string tiles(const RunRecord& run) {
  return "<div class=\"tiles\">" + best_tile(run) + test_tile(run) + loss_tile(run) + steps_tile(run) + time_tile(run) +
         memory_tile(run) + "</div>\n";
}

std::string results_table(const std::vector<RunRecord>& runs) {
  std::vector<Column> columns;
  const auto numbers = [&](const std::string& name, bool is_lower_better, const auto& value) {
    Column column{.name = name, .cells = {}, .is_lower_better = is_lower_better};
    for (const RunRecord& run : runs)
      column.values.push_back(value(run)), column.cells.push_back(metric_or_dash(column.values.back()));
    if (std::any_of(column.values.begin(), column.values.end(), [](const auto& v) { return v.has_value(); }))
      columns.push_back(std::move(column));
  };
  const auto texts = [&](const std::string& name, const auto& text) {
    Column column{.name = name, .cells = {}};
    for (const RunRecord& run : runs) column.cells.push_back(text(run));
    columns.push_back(std::move(column));
  };
  texts("status", [](const RunRecord& run) { return text_at(run.record, {"status"}); });
  texts("method", [](const RunRecord& run) { return setting_text(run, "method"); });
  texts("learning rate", [](const RunRecord& run) { return or_dash(learning_rate_of(run)); });
  texts("steps", [](const RunRecord& run) { return count(run.last_step); });
  texts("best step", [](const RunRecord& run) {
    const auto best = best_of(run, judge_of(run));
    return best ? count(best->step) : or_dash({});
  });
  for (const char* key : {"accuracy", "balanced_accuracy", "f1", "perplexity", "loss"}) {
    const std::string metric = key;
    const bool is_lower_better = metric == "perplexity" || metric == "loss";
    numbers("dev " + words_of(key), is_lower_better, [&](const RunRecord& run) -> std::optional<double> {
      const auto best = best_of(run, judge_of(run));
      for (const Evaluation& each : run.evaluations) {
        if (best && each.data == "dev" && each.step == best->step) return each.value(metric);
      }
      return {};
    });
    numbers("test " + words_of(key), is_lower_better, [&](const RunRecord& run) {
      return number_at(run.record, {"results", "test", metric});
    });
  }
  numbers("training loss", true, [](const RunRecord& run) { return final_training_loss(run); });
  texts("time", [](const RunRecord& run) {
    const auto s = seconds_of(run);
    return s ? duration(*s) : or_dash({});
  });
  texts("a step", [](const RunRecord& run) {
    const auto s = seconds_per_step(run);
    return s ? duration(*s) : or_dash({});
  });
  texts("peak memory", [](const RunRecord& run) {
    const auto b = peak_bytes(run);
    return b ? memory(*b) : or_dash({});
  });
  return "<section><h2>Results</h2>\n" + table_of(runs, columns) +
         "<p class=\"note\">Figures on dev are those of each run's best step; the best of a column is "
         "bold.</p></section>\n";
}

std::string evaluations_table(const RunRecord& run) {
  if (run.evaluations.empty()) return {};
  std::vector<std::string> keys;
  for (const Evaluation& each : run.evaluations) {
    for (const auto& [key, value] : each.values) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end() && keys.size() < 16) keys.push_back(key);
    }
  }
  const auto best = best_of(run, judge_of(run));
  const std::size_t every = (run.evaluations.size() + kMostEvaluations - 1) / kMostEvaluations;
  std::string out = "<details><summary>All evaluations (" + count(static_cast<double>(run.evaluations.size())) +
                    ")</summary><div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>data</th><th>step</th>";
  for (const auto& key : keys) out += "<th>" + escape(words_of(key)) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < run.evaluations.size(); ++i) {
    const Evaluation& each = run.evaluations[i];
    const bool is_best = best && each.data == "dev" && each.step == best->step;
    if (i % every != 0 && !is_best) continue;
    out += std::string(is_best ? "<tr class=\"best\">" : "<tr>") + "<td>" + escape(each.data) + "</td><td>" +
           count(each.step) + "</td>";
    for (const auto& key : keys) out += "<td>" + cell_text(key, each.value(key)) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></details>\n";
}

// Cells are tinted by their share of the row: the diagonal is recall.
std::string confusion_table(const RunRecord& run) {
  std::string of;
  const Confusion table = final_confusion(run, of);
  if (table.empty()) return {};
  std::vector<std::string> names;
  const Json* labels = find(run.record, {"settings", "labels"});
  for (std::size_t c = 0; c < table.size(); ++c) {
    std::string name =
        labels != nullptr && labels->is_array() && c < labels->size() ? plain((*labels)[c]) : std::to_string(c);
    names.push_back(name.substr(0, name.find('=')));
  }
  std::string out = "<figure><figcaption><b>Confusion</b> <small>" + escape(of) +
                    "; a row is what there is, a column what was predicted</small></figcaption><div "
                    "class=\"scroll\"><table class=\"confusion\"><thead><tr><th></th>";
  for (const auto& name : names) out += "<th>" + escape(name) + "</th>";
  out += "<th>recall</th></tr></thead><tbody>\n";
  for (std::size_t row = 0; row < table.size(); ++row) {
    double sum = 0;
    for (const double cell : table[row]) sum += cell;
    out += "<tr><th>" + escape(names[row]) + "</th>";
    for (std::size_t c = 0; c < table.size(); ++c) {
      const double share = sum > 0 ? table[row][c] / sum : 0;
      out += std::string("<td class=\"") + (c == row ? "right" : "wrong") +
             "\" style=\"--share:" + number(std::round(share * 100)) + "%\">" + escape(number(table[row][c])) + "</td>";
    }
    out += "<td>" + (sum > 0 ? number(table[row][row] / sum) : or_dash({})) + "</td></tr>\n";
  }
  return out + "</tbody></table></div></figure>\n";
}

}  // namespace frugal::report
