#include "frugal/cli/config/show_config.h"

#include <iostream>

#include "frugal/base/output_config.h"
#include "frugal/base/print.h"
#include "frugal/cli/help.h"
#include "frugal/cli/parse.h"

namespace frugal {
namespace {

constexpr const char* kFix = "frugal config show tune, followed by the arguments tune would get";

struct ConfigConfig {
  std::string what, verb;
  OutputConfig output;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "what", .help = "what to do", .group = "arguments", .choices = {"show"}}, c.what);
    v({.name = "verb",
       .help = "the verb whose settings are shown, followed by its own arguments",
       .group = "arguments"},
      c.verb);
    OutputConfig::fields(c.output, v);
  }
};

}  // namespace

bool is_config_show(const Asked& asked) {
  return asked.system->name == "config" && !asked.arguments.empty() && !asked.arguments[0].starts_with("-");
}

int show_config(const std::vector<std::string>& arguments) {
  const auto own_help = [] {
    const SystemInfo& own = systems().at("config");
    std::cout << help_of(own, own.find(""));
    return 0;
  };
  if (arguments[0] != "show") throw Error(Exit::usage, "config cannot '" + arguments[0] + "', expected show", kFix);
  if (arguments.size() < 2 || (arguments[1].starts_with("-") && arguments[1] != "--help" && arguments[1] != "-h"))
    throw Error(Exit::usage, "config show needs a verb", kFix);
  if (arguments[1].starts_with("-")) return own_help();
  const Asked asked = asked_for({arguments.begin() + 1, arguments.end()});
  const Parsed parsed = asked.action == nullptr ? Parsed{true, Settings({})} : parse_arguments(asked);
  if (parsed.wants_help) return own_help();
  Json json = Json::object();
  std::vector<std::vector<std::string>> rows = {{"setting", "value", "from"}};
  for (const auto& info : parsed.settings.fields()) {
    const auto& [value, origin] = parsed.settings.at(info.field.name);
    json[std::string(info.field.name)] = {{"value", value}, {"from", origin}};
    rows.push_back({std::string(info.field.name), shown_value(info, value), origin});
  }
  if (parsed.settings.has("json") && parsed.settings.at("json").value.get<bool>())
    print_json(json);
  else
    std::cout << table(rows);
  return 0;
}

void register_cli_config(SystemTable& table) {
  Action show{
      .name = "", .summary = "each setting with its value and origin", .fields = describe_fields<ConfigConfig>()};
  show.run = [](const Settings&) -> int { throw Error(Exit::usage, "config show needs a verb", kFix); };
  table.add({.name = "config",
             .summary = "show where each setting comes from",
             .group = "frugal",
             .examples = {"frugal config show tune", "frugal config show tune --config run.toml --lr 1e-4",
                          "frugal config show bench --method forward --json"},
             .actions = {show}});
}

}  // namespace frugal
