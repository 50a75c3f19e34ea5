#include "frugal/cli/help.h"

#include <algorithm>

#include "frugal/base/units.h"
#include "frugal/cli/parse.h"

namespace frugal {
namespace {

constexpr std::size_t kTextColumn = 34, kWidth = 118;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

// `text` broken at spaces, further lines begin at `begin`.
std::string wrapped(std::string head, const std::string& text, std::size_t begin = kTextColumn) {
  std::string out = padded(std::move(head), begin);
  std::size_t column = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (column + end - at > kWidth) {
      while (out.back() == ' ') out.pop_back();
      out += "\n" + std::string(begin, ' ');
      column = begin;
    }
    out += text.substr(at, end - at + 1);
    column += end - at + 1;
    at = end + 1;
  }
  while (out.back() == ' ') out.pop_back();
  return out + "\n";
}

std::string upper(std::string_view name) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string default_text(const FieldInfo& info) {
  const Json& value = info.initial;
  if (info.type == "flag")
    return value.get<bool>() ? " (on; --no-" + flag_name(info.field.name).substr(2) + " turns it off)" : "";
  if (value.is_array() || (value.is_string() && value.get<std::string>().empty())) return "";
  if (info.type == "SIZE") return value == 0 ? "" : " [" + format_bytes(value.get<std::uint64_t>()) + "]";
  return " [" + (value.is_string() ? value.get<std::string>() : value.dump()) + "]";
}

std::string option_line(const FieldInfo& info) {
  std::string head = "  " + flag_name(info.field.name);
  if (!info.field.choices.empty()) {
    std::string choices;
    for (const auto choice : info.field.choices) choices.append(choices.empty() ? " " : "|").append(choice);
    head += choices;
  } else if (info.type != "flag") {
    head += " " + info.type;
  }
  return wrapped(head, std::string(info.field.help) + default_text(info));
}

std::string groups(const std::vector<FieldInfo>& fields) {
  std::vector<std::string_view> order;
  for (const auto& info : fields) {
    if (info.field.group != "arguments" && std::find(order.begin(), order.end(), info.field.group) == order.end())
      order.push_back(info.field.group);
  }
  std::string text;
  for (const auto group : order) {
    text.append("\n").append(group).append(":\n");
    for (const auto& info : fields) {
      if (info.field.group == group) text += option_line(info);
    }
  }
  return text;
}

// The options of an action's choices: one that several plug-ins have with the same default is described once, and named
// with the others.
std::string choice_groups(const Action& action, const std::map<std::string, std::string>& chosen) {
  std::string text;
  std::vector<std::pair<std::string_view, Json>> shown;
  for (const FieldInfo& info : own_fields(action)) shown.emplace_back(info.field.name, info.initial);
  const std::size_t of_all = shown.size();
  for (const Choice& choice : action.choices) {
    const auto wanted = chosen.find(std::string(choice.field));
    std::string others;
    for (const Plugin& plugin : choice.all()) {
      if (wanted != chosen.end() && plugin.name != wanted->second) {
        others += (others.empty() ? "" : ", ") + std::string(plugin.name);
        continue;
      }
      std::string own, shared;
      for (const auto& info : plugin.fields) {
        const std::pair key(info.field.name, info.initial);
        const auto before = std::find(shown.begin(), shown.end(), key);
        if (before == shown.end()) {
          shown.push_back(key);
          own += option_line(info);
        } else if (before >= shown.begin() + static_cast<std::ptrdiff_t>(of_all)) {
          shared += (shared.empty() ? "" : ", ") + flag_name(info.field.name);
        }
      }
      text += "\n" +
              wrapped(flag_name(choice.field) + " " + std::string(plugin.name) + ":", std::string(plugin.summary), 2);
      text += own;
      if (!shared.empty()) text += wrapped(own.empty() ? "  as above" : "  and, as above", shared);
    }
    if (!others.empty()) text += "\n" + flag_name(choice.field) + " may also be " + others + "\n";
  }
  return text;
}

std::string listings(const Action& action) {
  std::string text;
  for (const Listed& each : action.listed) {
    text.append("\n").append(each.title).append(":\n");
    for (const Plugin& one : each.all()) text += wrapped("  " + std::string(one.name), std::string(one.summary));
  }
  return text;
}

std::string head_of(const SystemInfo& system) {
  std::string text = "frugal " + std::string(system.name) + ": " + std::string(system.summary);
  if (!system.source.empty()) text += " (" + std::string(system.source) + ")";
  text += "\n\nexamples:\n";
  for (const auto example : system.examples) text += "  " + std::string(example) + "\n";
  return text;
}

}  // namespace

std::string overview() {
  std::string text =
      "frugal is machine learning under a budget: what memory and time may be spent is named, predicted, kept to and "
      "reported.\n"
      "It fine-tunes and runs language models on the machine that can just run them, and brings small systems of other "
      "fields\n"
      "along. A run can be stopped at any time, ends as one page, and repeats to the same bits.\n\n"
      "examples:\n"
      "  frugal plan model.gguf --batch 8 --length 128 --memory 1GiB\n"
      "  frugal tune model.gguf --data train.jsonl --template \"Review: {text}\\nSentiment:\" --labels "
      "negative,positive --out run\n"
      "  frugal merge model.gguf run --out tuned.gguf --dtype q8_0\n";
  std::vector<std::string_view> order = {"language models"};  // then the rooms, then the program's own
  for (const SystemInfo& system : systems().all()) {
    if (system.group != "frugal" && std::find(order.begin(), order.end(), system.group) == order.end())
      order.push_back(system.group);
  }
  order.push_back("frugal");
  for (const auto group : order) {
    text.append("\n").append(group).append(":\n");
    for (const SystemInfo& system : systems().all()) {
      if (system.group == group)
        text += wrapped("  " + padded(std::string(system.name), 12), std::string(system.summary), 16);
    }
  }
  return text +
         "\nfrugal VERB --help shows a verb's options. A setting comes from its default, --config FILE.toml, the "
         "environment\n"
         "(FRUGAL_<NAME>) or its flag, the later the stronger; frugal config show VERB prints each with where it comes "
         "from.\n\n"
         "exit codes: 0 done, 1 a bug, 2 usage, 3 input, 4 memory budget, 5 diverged, 130 interrupted\n";
}

std::string help_of(const SystemInfo& system, const Action* action, const std::map<std::string, std::string>& chosen) {
  std::string text = head_of(system);
  if (action == nullptr || (action->name.empty() && system.actions.size() > 1)) {
    text += "\nactions:\n";
    for (const Action& each : system.actions) {
      if (!each.name.empty()) text += wrapped("  " + std::string(each.name), std::string(each.summary));
    }
    text += "\nfrugal " + std::string(system.name) + " ACTION --help shows its options.\n";
    if (action == nullptr) return text;
  }
  if (!action->name.empty())
    text += "\nfrugal " + std::string(system.name) + " " + std::string(action->name) + ": " +
            std::string(action->summary) + "\n";
  const std::vector<FieldInfo> fields = own_fields(*action);
  std::string arguments;
  for (const auto& info : fields) {
    if (info.field.group == "arguments")
      arguments += wrapped("  " + upper(info.field.name), std::string(info.field.help) + default_text(info));
  }
  if (!arguments.empty()) text += "\narguments:\n" + arguments;
  text += groups(fields) + choice_groups(*action, chosen) + listings(*action);
  return text + "\n" + wrapped("  --config FILE.toml", "settings from a file") + wrapped("  --help", "this text");
}

}  // namespace frugal
