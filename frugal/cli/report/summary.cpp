// How a run went, in figures: results, evaluations, confusion.
#include <algorithm>
#include <cmath>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kMostEvaluations = 500;  // rows; more are thinned out
constexpr std::size_t kMostOthers = 12;        // results of a run that are compared by their names

std::string or_dash(const std::optional<double>& value) { return value ? number(*value) : "\xE2\x80\x93"; }

std::string metric_or_dash(const std::optional<double>& value) { return value ? metric(*value) : or_dash({}); }

std::string cell_text(std::string_view key, const std::optional<double>& value) {
  if (!value) return or_dash({});
  return key == "seconds" ? duration(*value) : key == "examples" || key == "tokens" ? count(*value) : metric(*value);
}

// What the runs are judged on, where it is the same.
std::string shared_data(const std::vector<RunRecord>& runs) {
  const std::string data = judged_data(runs.front());
  const bool is_shared =
      std::all_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return judged_data(run) == data; });
  return is_shared ? data : "judged data";
}

// What all runs count their steps in.
std::string shared_unit(const std::vector<RunRecord>& runs) {
  const bool is_shared = std::all_of(runs.begin(), runs.end(),
                                     [&](const RunRecord& run) { return run.step_name == runs.front().step_name; });
  return is_shared ? runs.front().step_name : "step";
}

std::vector<std::string> compared_metrics(const std::vector<RunRecord>& runs) {
  std::vector<std::string> keys = {"accuracy", "balanced_accuracy", "f1", "perplexity", "loss"};
  const auto add = [&](const std::string& key) {
    if (!key.empty() && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  for (const RunRecord& run : runs) {
    if (run.kind.is_tune()) continue;
    add(judge_of(run).key);
    if (run.kind.system == nullptr) continue;
    for (const Metric& each : run.kind.system->metrics) add(std::string(each.name));
  }
  return keys;
}

// Numbers of the results that two runs or more have.
std::vector<std::string> shared_results(const std::vector<RunRecord>& runs) {
  std::vector<std::string> once, shared;
  for (const RunRecord& run : runs) {
    for (const auto& [name, value] : other_results(run, kMostOthers)) {
      if (std::find(once.begin(), once.end(), name) == once.end())
        once.push_back(name);
      else if (std::find(shared.begin(), shared.end(), name) == shared.end())
        shared.push_back(name);
    }
  }
  return shared;
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
  if (text_at(run.record, {"status"}) == "running") {
    const std::string resume = run.kind.action.empty()
                                   ? std::string()
                                   : "; <code>" + escape(command_of(run.kind)) + " --resume</code> goes on with it";
    add(name + "its record says running. Either a process is at it, or one was killed" + resume + ".");
  }
  if (run.unread_lines > 0) {
    add(name + count(static_cast<double>(run.unread_lines)) + " line" + (run.unread_lines > 1 ? "s" : "") +
        " of events.jsonl could not be read and " + (run.unread_lines > 1 ? "are" : "is") + " left out.");
  }
  return out;
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
    const bool is_empty = std::all_of(column.cells.begin(), column.cells.end(),
                                      [](const std::string& cell) { return cell.empty() || cell == or_dash({}); });
    if (!is_empty) columns.push_back(std::move(column));
  };
  texts("status", [](const RunRecord& run) { return text_at(run.record, {"status"}); });
  const bool is_tune = std::all_of(runs.begin(), runs.end(), [](const RunRecord& run) { return run.kind.is_tune(); });
  if (!is_tune) texts("run of", [](const RunRecord& run) { return run.kind.action; });
  texts("method", [](const RunRecord& run) { return setting_text(run, "method"); });
  texts("learning rate", [](const RunRecord& run) { return or_dash(learning_rate_of(run)); });
  const std::string unit = shared_unit(runs);
  texts(unit + "s", [](const RunRecord& run) { return number(run.last_step); });
  texts("best " + unit, [](const RunRecord& run) {
    const auto best = best_of(run, judge_of(run));
    return best ? number(best->step) : or_dash({});
  });
  const std::string data = shared_data(runs);
  const std::size_t before = columns.size();
  for (const std::string& metric : compared_metrics(runs)) {
    const bool is_lower_better = runs.front().kind.is_lower_better(metric);
    numbers(data + " " + words_of(metric), is_lower_better, [&](const RunRecord& run) -> std::optional<double> {
      const auto best = best_of(run, judge_of(run));
      const std::string judged = judged_data(run);
      for (const Evaluation& each : run.evaluations) {
        if (best && each.data == judged && each.step == best->step) return each.value(metric);
      }
      return {};
    });
    numbers("test " + words_of(metric), is_lower_better, [&](const RunRecord& run) {
      return number_at(run.record, {"results", "test", metric});
    });
  }
  const bool has_judged = columns.size() > before;
  for (const std::string& name : shared_results(runs)) {
    if (runs.front().kind.metric(name) != nullptr) {
      numbers(words_of(name), runs.front().kind.is_lower_better(name), [&](const RunRecord& run) {
        return number_at(run.record, {"results", name});
      });
      continue;
    }
    texts(words_of(name), [&](const RunRecord& run) {
      const auto value = number_at(run.record, {"results", name});
      return value ? result_text(name, *value) : or_dash({});
    });
  }
  numbers("training loss", true, [](const RunRecord& run) { return final_training_loss(run); });
  texts("time", [](const RunRecord& run) {
    const auto s = seconds_of(run);
    return s ? duration(*s) : or_dash({});
  });
  texts(one_of(unit), [](const RunRecord& run) {
    const auto s = seconds_per_step(run);
    return s ? duration(*s) : or_dash({});
  });
  texts("peak memory", [](const RunRecord& run) {
    const auto b = peak_bytes(run);
    return b ? memory(*b) : or_dash({});
  });
  const std::string note =
      has_judged ? "Figures on " + data + " are those of each run's best " + unit + "; the best of a column is bold."
                 : "The best of a column is bold.";
  return "<section><h2>Results</h2>\n" + table_of(runs, columns) + "<p class=\"note\">" + escape(note) +
         "</p></section>\n";
}

std::string evaluations_table(const RunRecord& run) {
  if (run.evaluations.empty()) return {};
  std::vector<std::string> keys;
  for (const Evaluation& each : run.evaluations) {
    for (const auto& [key, value] : each.values) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end() && keys.size() < 16) keys.push_back(key);
    }
  }
  if (std::all_of(keys.begin(), keys.end(), [](const std::string& key) { return key == "seconds"; })) return {};
  const auto best = best_of(run, judge_of(run));
  const std::string judged = judged_data(run);
  const std::size_t every = (run.evaluations.size() + kMostEvaluations - 1) / kMostEvaluations;
  std::string out = "<details><summary>All evaluations (" + count(static_cast<double>(run.evaluations.size())) +
                    ")</summary><div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>data</th><th>" +
                    escape(run.step_name) + "</th>";
  for (const auto& key : keys) out += "<th>" + escape(words_of(key)) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < run.evaluations.size(); ++i) {
    const Evaluation& each = run.evaluations[i];
    const bool is_best = best && each.data == judged && each.step == best->step;
    if (i % every != 0 && !is_best) continue;
    out += std::string(is_best ? "<tr class=\"best\">" : "<tr>") + "<td>" + escape(each.data) + "</td><td>" +
           number(each.step) + "</td>";
    for (const auto& key : keys) out += "<td>" + cell_text(key, each.value(key)) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></details>\n";
}

// Cells are tinted by their share of the row: the diagonal is recall.
std::string confusion_table(const RunRecord& run) {
  std::string of;
  const Confusion table = final_confusion(run, of);
  const bool is_drawn = std::any_of(run.figures.begin(), run.figures.end(),  // by the run itself
                                    [](const FigureRecord& figure) { return name_of(figure) == "confusion"; });
  if (table.empty() || is_drawn) return {};
  std::vector<std::string> names;
  const Json* labels = find(run.record, {"settings", "labels"});
  for (std::size_t c = 0; c < table.size(); ++c) {
    std::string name =
        labels != nullptr && labels->is_array() && c < labels->size() ? plain((*labels)[c]) : std::to_string(c);
    names.push_back(name.substr(0, name.find('=')));
  }
  std::string out = "<figure><figcaption><b>Confusion</b> <small>" + escape(of + (of.empty() ? "" : "; ")) +
                    "a row is what there is, a column what was predicted</small></figcaption><div "
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
