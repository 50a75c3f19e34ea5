#include "frugal/cli/report/run_kind.h"

#include <algorithm>
#include <sstream>

#include "frugal/cli/parse.h"
#include "frugal/cli/report/run_record.h"
#include "frugal/cli/report/text.h"

namespace frugal::report {
namespace {

constexpr std::size_t kLongestAction = 80;

// Runs of before there were several actions have none and are tune's.
std::string action_of(const Json& record) {
  const Json* action = find(record, {"action"});
  if (action == nullptr) return "tune";
  const std::string text = text_at(record, {"action"});
  return text.size() > kLongestAction ? std::string() : text;
}

void take_plugin(RunKind& kind, const Choice& choice, const std::string& name) {
  for (const Plugin& plugin : choice.all()) {
    if (plugin.name != name) continue;
    kind.fields.insert(kind.fields.end(), plugin.fields.begin(), plugin.fields.end());
    kind.choices.push_back(name);
  }
}

}  // namespace

const FieldInfo* RunKind::field(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const FieldInfo& info) { return info.field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

const Metric* RunKind::metric(std::string_view name) const {
  if (system == nullptr) return nullptr;
  for (const Metric& each : system->metrics) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

std::string RunKind::unit_of(std::string_view name) const {
  if (const Metric* known = metric(name)) return std::string(known->unit);
  return name == "loss" && is_tune() ? "nats" : "";
}

bool RunKind::is_lower_better(std::string_view name) const {
  if (const Metric* known = metric(name)) return !known->is_higher_better;
  return name == "loss" || name == "perplexity";
}

RunKind kind_of(const Json& record, const SystemTable& table) {
  RunKind kind{.action = action_of(record)};
  const std::size_t space = kind.action.find(' ');
  kind.system = table.find(kind.action.substr(0, space));
  const Action* action = nullptr;
  if (kind.system != nullptr)
    action = kind.system->find(space == kind.action.npos ? "" : kind.action.substr(space + 1));
  kind.fields = own_fields(action == nullptr ? Action{.is_run = true} : *action);
  if (action == nullptr) return kind;
  kind.next = action->next;
  kind.is_last_best = action->is_last_best;
  for (const Choice& choice : action->choices) take_plugin(kind, choice, text_at(record, {"settings", choice.field}));
  return kind;
}

std::string command_of(const RunKind& kind) {
  std::string command = "frugal";
  std::istringstream words(kind.action);
  for (std::string word; words >> word;) command += " " + shell_word(word);
  return command;
}

}  // namespace frugal::report
