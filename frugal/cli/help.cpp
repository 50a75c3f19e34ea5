#include "frugal/cli/help.h"

#include <algorithm>

#include "frugal/base/units.h"

namespace frugal {
namespace {

constexpr std::size_t kTextColumn = 34, kWidth = 118;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

// `text` broken at spaces, further lines begin at kTextColumn.
std::string wrapped(std::string head, const std::string& text) {
  std::string out = padded(std::move(head), kTextColumn);
  std::size_t column = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (column + end - at > kWidth) {
      while (out.back() == ' ') out.pop_back();
      out += "\n" + std::string(kTextColumn, ' ');
      column = kTextColumn;
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

std::string groups(const std::vector<FieldInfo>& fields, const std::string& title) {
  std::vector<std::string_view> order;
  for (const auto& info : fields) {
    if (info.field.group != "arguments" && std::find(order.begin(), order.end(), info.field.group) == order.end())
      order.push_back(info.field.group);
  }
  std::string text;
  for (const auto group : order) {
    text.append("\n").append(title.empty() ? std::string(group) : title).append(":\n");
    for (const auto& info : fields) {
      if (info.field.group == group) text += option_line(info);
    }
  }
  return text;
}

}  // namespace

std::string overview() {
  std::string text =
      "frugal fine-tunes language models on the machine that can just run them.\n\n"
      "examples:\n"
      "  frugal plan model.gguf --batch 8 --length 128 --memory 1GiB\n"
      "  frugal tune model.gguf --data train.jsonl --template \"Review: {text}\\nSentiment:\" --labels "
      "negative,positive --out run\n"
      "  frugal merge model.gguf run --out tuned.gguf --dtype q8_0\n\nverbs:\n";
  for (const auto& verb : verbs()) text += "  " + padded(std::string(verb.name), 12) + std::string(verb.summary) + "\n";
  return text +
         "\nfrugal VERB --help shows a verb's options. A setting comes from its default, --config FILE.toml, the "
         "environment\n"
         "(FRUGAL_<NAME>) or its flag, the later the stronger; frugal config show VERB prints each with where it comes "
         "from.\n\n"
         "exit codes: 0 done, 1 a bug, 2 usage, 3 input, 4 memory budget, 5 diverged, 130 interrupted\n";
}

std::string help_of(const Verb& verb) {
  std::string text = "frugal " + std::string(verb.name) + ": " + std::string(verb.summary) + "\n\nexamples:\n";
  for (const auto example : verb.examples) text += "  " + std::string(example) + "\n";
  std::string arguments;
  for (const auto& info : verb.fields) {
    if (info.field.group == "arguments")
      arguments += wrapped("  " + upper(info.field.name), std::string(info.field.help) + default_text(info));
  }
  if (!arguments.empty()) text += "\narguments:\n" + arguments;
  text += groups(verb.fields, "");
  if (verb.has_methods) {
    const auto& all = methods().all();
    std::vector<std::pair<std::string_view, Json>> shown;
    for (const auto& method : all) {  // an option that several methods have is shown once for each default
      std::vector<FieldInfo> fresh;
      for (const auto& info : method.fields) {
        const std::pair key(info.field.name, info.initial);
        if (std::find(shown.begin(), shown.end(), key) != shown.end()) continue;
        shown.push_back(key);
        fresh.push_back(info);
      }
      text += groups(
          fresh, "--method " + std::string(method.name) +
                     (&method == &all.front()
                          ? ""
                          : " (an option that it shares with a method above, at the same default, is listed there)"));
    }
  }
  return text + "\n" + wrapped("  --config FILE.toml", "settings from a file") + wrapped("  --help", "this text");
}

}  // namespace frugal
