// toml++ is seen by this file alone: its headers take seconds to compile.
#include <toml++/toml.h>

#include "frugal/base/atomic_file.h"
#include "frugal/base/settings.h"

namespace frugal {

Json read_settings_file(const std::filesystem::path& path) {
  Json settings = Json::object();
  toml::table table;
  try {
    table = toml::parse(read_file(path, kMostSettings), path.string());
  } catch (const toml::parse_error& error) {
    throw Error(
        Exit::usage,
        path.string() + " line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()),
        "write it as TOML: key = value, texts in quotes");
  }
  for (const auto& [key, node] : table) {
    Json& value = settings[key_name(key.str())];
    if (const auto text = node.value_exact<std::string>())
      value = *text;
    else if (const auto whole = node.value_exact<std::int64_t>())
      value = *whole;
    else if (const auto number = node.value_exact<double>())
      value = *number;
    else if (const auto flag = node.value_exact<bool>())
      value = *flag;
    else if (const auto* list = node.as_array()) {
      value = Json::array();
      for (const auto& item : *list) {
        const auto word = item.value_exact<std::string>();
        if (!word)
          throw Error(Exit::usage, path.string() + ": '" + std::string(key.str()) + "' is not a list of texts",
                      "write it like [\"a\", \"b\"]");
        value.push_back(*word);
      }
    } else {
      throw Error(Exit::usage, path.string() + ": '" + std::string(key.str()) + "' is a table or a date, not a value",
                  "put the settings at the top level: key = value");
    }
  }
  return settings;
}

}  // namespace frugal
