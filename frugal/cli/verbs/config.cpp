#include "frugal/cli/verbs/config.h"

#include <iostream>

#include "frugal/cli/help.h"
#include "frugal/cli/parse.h"
#include "frugal/cli/print.h"
#include "frugal/cli/verbs/common.h"
#include "frugal/cli/verbs/verbs.h"

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

bool is_config_show(const Verb& verb, const std::vector<std::string>& arguments) {
  return verb.name == "config" && !arguments.empty() && !arguments[0].starts_with("-");
}

int show_config(const std::vector<std::string>& arguments) {
  if (arguments[0] != "show") throw Error(Exit::usage, "config cannot '" + arguments[0] + "', expected show", kFix);
  if (arguments.size() < 2 || (arguments[1].starts_with("-") && arguments[1] != "--help" && arguments[1] != "-h"))
    throw Error(Exit::usage, "config show needs a verb", kFix);
  if (arguments[1].starts_with("-")) {
    std::cout << help_of(verb_named("config"));
    return 0;
  }
  const Verb& verb = verb_named(arguments[1]);
  const Parsed parsed = parse_arguments(verb, {arguments.begin() + 2, arguments.end()});
  if (parsed.wants_help) {
    std::cout << help_of(verb_named("config"));
    return 0;
  }
  Json json = Json::object();
  std::vector<std::vector<std::string>> rows = {{"setting", "value", "from"}};
  for (const auto& info : parsed.settings.fields()) {
    const auto& [value, origin] = parsed.settings.at(info.field.name);
    json[std::string(info.field.name)] = {{"value", value}, {"from", origin}};
    rows.push_back({std::string(info.field.name), value.dump(-1, ' ', false, Json::error_handler_t::replace), origin});
  }
  if (parsed.settings.has("json") && parsed.settings.at("json").value.get<bool>())
    print_json(json);
  else
    std::cout << table(rows);
  return 0;
}

Verb config_verb() {
  return {.name = "config",
          .summary = "show where each setting comes from",
          .examples = {"frugal config show tune", "frugal config show tune --config run.toml --lr 1e-4",
                       "frugal config show bench --method forward --json"},
          .fields = describe_fields<ConfigConfig>(),
          .run = [](const Settings&) -> int { throw Error(Exit::usage, "config show needs a verb", kFix); }};
}

}  // namespace frugal
