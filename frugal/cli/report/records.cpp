// What a run was made of: settings, data, base, machine, versions, weights; and the commands that go on from here.
#include <algorithm>

#include "frugal/cli/report/outcome.h"
#include "frugal/cli/report/plot.h"
#include "frugal/cli/report/sections.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

// Of one process, not of the run.
constexpr std::string_view kNotOfRun[] = {"json", "quiet", "dry_run", "out", "resume"};

constexpr std::size_t kMostFacts = 24;  // of one group

bool is_of_run(std::string_view key) {
  return std::find(std::begin(kNotOfRun), std::end(kNotOfRun), key) == std::end(kNotOfRun);
}

// What of a record has a part of the page for itself.
constexpr std::string_view kShown[] = {
    "format",  "created", "updated", "action",  "settings",       "base",  "data",   "machine", "versions", "version",
    "lr_race", "plan",    "status",  "results", "weights_sha256", "files", "chosen", "facts",   "step_unit"};

// What a sweep goes through, options and their values: "window 5, 10, 20; seed 1, 2". Empty: it is none. What was given
// beside them is among the settings.
std::string swept_text(const Json& value) {
  const Json* options = find(value, {"options"});
  if (options == nullptr || !options->is_object()) return {};
  std::string text;
  for (const auto& [name, values] : options->items()) {
    if (!values.is_array() || text.size() > 600) continue;
    text += (text.empty() ? "" : "; ") + plain(Json(name));
    for (std::size_t i = 0; i < values.size() && text.size() < 600; ++i)
      text += (i == 0 ? " " : ", ") + plain(values[i]);
  }
  return text;
}

std::string setting_value(const Json& value, const FieldInfo* info) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value == "" || (value.is_array() && value.empty())) return "\xE2\x80\x93";  // a dash
  if (info != nullptr && info->type == "SIZE" && value.is_number()) {
    return value == 0 ? "no limit" : memory(value.get<double>());
  }
  if (value.is_array()) {
    std::string text;
    for (std::size_t i = 0; i < value.size() && text.size() < 600; ++i) text += (i == 0 ? "" : ", ") + plain(value[i]);
    return text;
  }
  if (value.is_number()) return number(value.get<double>());
  const std::string swept = swept_text(value);
  return swept.empty() ? plain(value) : swept;
}

// What a race made of --lr auto.
std::string chosen_rate(const RunRecord& run, std::string_view key, const Json& value) {
  const auto rate = number_at(run.record, {"lr_race", "lr"});
  return key == "lr" && value == "auto" && rate ? ", chose " + number(*rate) : "";
}

std::string settings_head(const char* extra) {
  return std::string("<div class=\"scroll\"><table class=\"texts\"><thead><tr><th>setting</th><th>value</th>") + extra +
         "</tr></thead><tbody>\n";
}

std::string fact(const std::string& name, const std::string& value, bool is_code = false) {
  if (value.empty()) return {};
  const std::string text = escape(value);
  return "<dt>" + escape(name) + "</dt><dd>" + (is_code ? "<code>" + text + "</code>" : text) + "</dd>\n";
}

std::string number_text(const Json& json, std::initializer_list<std::string_view> keys) {
  const auto value = number_at(json, keys);
  return value ? count(*value) : "";
}

std::string group(const char* title, const std::string& items) {
  return items.empty() ? items : "<div><h3>" + std::string(title) + "</h3><dl>" + items + "</dl></div>\n";
}

// Members of the object at `key` that have no line of their own.
std::string other_facts(const Json& record, std::string_view key, std::initializer_list<std::string_view> known) {
  const Json* object = find(record, {key});
  if (object == nullptr || !object->is_object()) return {};
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, value] : object->items()) {
    if (std::find(known.begin(), known.end(), name) == known.end() && shown++ < kMostFacts)
      out += fact(title_of(name), plain(value));
  }
  return out;
}

std::string data_facts(const Json& record) {
  std::string out = fact("File", text_at(record, {"data", "path"}), true) +
                    fact("SHA-256", text_at(record, {"data", "sha256"}), true) +
                    fact("Examples", number_text(record, {"data", "examples"})) +
                    fact("Truncated prompts", number_text(record, {"data", "truncated"}));
  const std::string prompt = text_at(record, {"data", "first", "prompt"});
  if (!prompt.empty()) {
    out += "<dt>First example</dt><dd class=\"example\">" + escape(plain(Json(prompt))) + "<mark>" +
           escape(text_at(record, {"data", "first", "scored"})) + "</mark></dd>\n";
  }
  return out + other_facts(record, "data", {"path", "sha256", "examples", "truncated", "first"});
}

std::string machine_facts(const Json& record) {
  const auto bytes = number_at(record, {"machine", "memory_bytes"});
  return fact("Processor", text_at(record, {"machine", "cpu"})) +
         fact("Cores", number_text(record, {"machine", "cores"})) +
         fact("Instruction set", text_at(record, {"machine", "isa"})) + fact("Memory", bytes ? memory(*bytes) : "") +
         other_facts(record, "machine", {"cpu", "cores", "isa", "memory_bytes"});
}

std::string versions_facts(const Json& record) {
  const Json* versions = find(record, {"versions"});
  if (versions != nullptr && !versions->is_object()) return fact("Versions", plain(*versions));
  std::string out = other_facts(record, "versions", {});
  if (const Json* version = find(record, {"version"})) out = fact("Frugal", plain(*version)) + out;
  return out;
}

// {"files": {name: {"path", "sha256"}}}: what the run read.
std::string file_facts(const Json& record) {
  const Json* files = find(record, {"files"});
  if (files == nullptr || !files->is_object()) return {};
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, file] : files->items()) {
    if (shown++ == kMostFacts) break;
    out += fact(title_of(name), text_at(file, {"path"}), true) + fact("SHA-256", text_at(file, {"sha256"}), true);
  }
  return out;
}

// What an action put into its record beside what all have.
std::string unplaced_facts(const Json& record) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, value] : record.items()) {
    if (std::find(std::begin(kShown), std::end(kShown), name) == std::end(kShown) && shown++ < kMostFacts)
      out += fact(title_of(name), value.is_array() ? setting_value(value, nullptr) : plain(value));
  }
  return out;
}

// A command of an action with the run's folder for RUN, and for {out} what that setting was. What was filled in is not
// looked at again.
std::string filled_in(std::string_view command, const RunRecord& run, const std::string& path) {
  std::string text;
  while (!command.empty()) {
    const std::size_t end = command.front() == '{' ? command.find('}') : command.npos;
    if (command.starts_with("RUN")) {
      text += path;
      command.remove_prefix(3);
    } else if (end != command.npos) {
      text += shell_word(setting_text(run, command.substr(1, end - 1)));
      command.remove_prefix(end + 1);
    } else {
      text += command.front();
      command.remove_prefix(1);
    }
  }
  return text;
}

// What a run of tune ends in: a model.
template <class Add>
void tune_commands(const RunRecord& run, const std::string& path, const std::string& of, bool is_alone,
                   const Add& add) {
  const std::string status = text_at(run.record, {"status"});
  std::string model = text_at(run.record, {"base", "path"});
  model = model.empty() ? "MODEL" : shell_word(model);
  if (status == "diverged")
    add("frugal tune " + model + " ... --lr auto --out NEW_RUN", "start again with a step size found by a race" + of);
  if (run.last_step == 0 || status == "diverged") return;
  add("frugal merge " + model + " " + path + " --out tuned", "write the tuned model as a Hugging Face folder" + of);
  if (is_alone)
    add("frugal merge " + model + " " + path + " --out tuned.gguf --dtype q8_0", "or as one small GGUF file");
}

}  // namespace

std::string settings_table(const RunRecord& run) {
  const Json* settings = find(run.record, {"settings"});
  if (settings == nullptr || !settings->is_object()) return {};
  std::string changed, rest;
  std::size_t left = 0;
  for (const auto& [key, value] : settings->items()) {
    if (!is_of_run(key)) continue;
    const FieldInfo* info = run.kind.field(key);
    const bool is_default = info != nullptr && value == info->initial;
    std::string row = "<tr><td><code>" + escape(key) + "</code></td><td class=\"value\">" +
                      escape(setting_value(value, info) + chosen_rate(run, key, value)) + "</td>";
    if (!is_default)
      row += "<td class=\"default\">" + (info != nullptr ? escape(setting_value(info->initial, info)) : std::string()) +
             "</td>";
    row += "<td class=\"help\">" + (info != nullptr ? escape(info->field.help) : std::string()) + "</td></tr>\n";
    (is_default ? rest : changed) += row;
    left += is_default;
  }
  std::string out = "<section><h2>Settings</h2>\n";
  if (!changed.empty())
    out += settings_head("<th>default</th><th class=\"help\"></th>") + changed + "</tbody></table></div>\n";
  if (!rest.empty()) {
    out += "<details><summary>" + std::to_string(left) + " left at their defaults</summary>" +
           settings_head("<th class=\"help\"></th>") + rest + "</tbody></table></div></details>\n";
  }
  return out + "</section>\n";
}

std::string settings_differences(const std::vector<RunRecord>& runs) {
  std::vector<std::string> keys;
  for (const RunRecord& run : runs) {
    const Json* settings = find(run.record, {"settings"});
    if (settings == nullptr || !settings->is_object()) continue;
    for (const auto& [key, value] : settings->items()) {
      if (is_of_run(key) && std::find(keys.begin(), keys.end(), key) == keys.end() && keys.size() < 400)
        keys.push_back(key);
    }
  }
  std::string rows;
  for (const std::string& key : keys) {
    const Json* first = find(runs.front().record, {"settings", key});
    const bool differs = std::any_of(runs.begin(), runs.end(), [&](const RunRecord& run) {
      const Json* value = find(run.record, {"settings", key});
      return (value == nullptr) != (first == nullptr) || (value != nullptr && *value != *first);
    });
    if (!differs) continue;
    rows += "<tr><td><code>" + escape(key) + "</code></td>";
    for (const RunRecord& run : runs) {
      const Json* value = find(run.record, {"settings", key});
      rows += "<td class=\"value\">" +
              (value != nullptr ? escape(setting_value(*value, run.kind.field(key))) : std::string("\xE2\x80\x93")) +
              "</td>";
    }
    rows += "</tr>\n";
  }
  if (rows.empty())
    return "<section><h2>Settings</h2><p class=\"note\">All runs have the same settings.</p></section>\n";
  std::string head =
      "<section><h2>Settings that differ</h2>\n<div class=\"scroll\"><table "
      "class=\"texts\"><thead><tr><th>setting</th>";
  for (std::size_t i = 0; i < runs.size(); ++i) head += "<th>" + legend_entry(i, runs[i].name) + "</th>";
  return head + "</tr></thead><tbody>\n" + rows + "</tbody></table></div></section>\n";
}

std::string facts(const RunRecord& run) {
  const Json& r = run.record;
  const std::string weights = fact("SHA-256 after the last step", text_at(r, {"weights_sha256"}), true),
                    state = fact("SHA-256 after the last step", text_at(r, {"results", "state_sha256"}), true);
  const std::string base = fact("Model", text_at(r, {"base", "path"}), true) +
                           fact("Format", text_at(r, {"base", "format"})) +
                           fact("SHA-256 in memory", text_at(r, {"base", "sha256"}), true) +
                           other_facts(r, "base", {"path", "format", "sha256"});
  const std::string run_facts = fact("Folder", run.path.string(), true) + fact("Begun", text_at(r, {"created"})) +
                                fact("Last written", text_at(r, {"updated"}));
  const std::string all = group("Data", data_facts(r)) + group("Base", base) + group("Machine", machine_facts(r)) +
                          group("Versions", versions_facts(r)) +
                          group(run.kind.is_tune() ? "Tuned weights" : "Weights", weights) + group("State", state) +
                          group("Files", run.kind.is_tune() ? "" : file_facts(r)) +
                          group("Also recorded", run.kind.is_tune() ? "" : unplaced_facts(r)) + group("Run", run_facts);
  return all.empty() ? all : "<div class=\"facts\">" + all + "</div>\n";
}

std::string next_commands(const std::vector<RunRecord>& runs) {
  std::string lines;
  const auto add = [&](const std::string& command, const std::string& why) {
    lines += "<div><span>" + escape(why) + "</span><pre><code>" + escape(command) + "</code></pre></div>\n";
  };
  for (const RunRecord& run : runs) {
    const std::string path = shell_word(run.path.string()), status = text_at(run.record, {"status"});
    const std::string of = runs.size() > 1 ? " (" + run.name + ")" : "";
    if (status != "done" && status != "diverged" && !run.kind.action.empty())
      add(command_of(run.kind) + " --resume " + path, "go on with the run" + of);
    if (run.kind.is_tune()) tune_commands(run, path, of, runs.size() == 1, add);
    if (status == "done") {
      for (const NextCommand& next : run.kind.next) {
        add(filled_in(next.command, run, path), std::string(next.why) + of);
      }
    }
    if (runs.size() == 1) add("frugal report " + path + " --compare OTHER_RUN", "set it beside another run");
  }
  if (lines.empty()) return {};
  return "<section><h2>Next</h2><div class=\"commands\">\n" + lines + "</div></section>\n";
}

}  // namespace frugal::report
