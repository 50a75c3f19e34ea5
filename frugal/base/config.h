// Configuration structs list their fields once; parser, help, files, records and hashes are visitors over that list.
//
//   struct EvalConfig {
//     double lr = 1e-6;
//     template <class Self, class Visitor>
//     static void fields(Self& c, Visitor&& v) { v({.name = "lr", .help = "step size, > 0", .group = "method"}, c.lr);
//     }
//   };
//
// Field types: bool, std::int64_t, double, std::string, std::vector<std::string>, Bytes.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/units.h"

namespace frugal {

struct Field {
  std::string_view name;                       // snake_case; the flag is its kebab-case
  std::string_view help;                       // what it does, with its unit and range
  std::string_view group = "options";          // data, model, method, budget, output
  std::vector<std::string_view> choices = {};  // strings only; empty: anything
  bool is_path = false;                        // of files that are there: of any bytes, where other texts are UTF-8
};

// Settings from the command line, files and the environment have their kinds (settings.h); those of a record may not.
// Error(Exit::input): `value` is of another kind than the field.
template <class T>
T get_field(const Json& value, const Field& field) {
  try {
    if constexpr (std::is_same_v<T, Bytes>) {
      return value.is_string() ? parse_bytes(value.get<std::string>()) : Bytes{value.get<std::uint64_t>()};
    } else {
      return value.get<T>();
    }
  } catch (const nlohmann::json::exception&) {
    constexpr const char* expected = std::is_same_v<T, bool>           ? "true or false"
                                     : std::is_same_v<T, std::int64_t> ? "a whole number"
                                     : std::is_same_v<T, double>       ? "a number"
                                     : std::is_same_v<T, std::string>  ? "a text"
                                     : std::is_same_v<T, Bytes>        ? "a size"
                                                                       : "another kind of value";
    throw Error(Exit::input,
                "the recorded setting '" + std::string(field.name) + "' is " +
                    value.dump(-1, ' ', false, Json::error_handler_t::replace) + ", expected " + expected,
                "the record is damaged; copy it again, or start anew");
  }
}

// Every field as JSON, in declared order. Sizes are plain byte counts.
template <class Config>
Json to_json(const Config& config) {
  Json json = Json::object();
  Config::fields(config, [&](const Field& field, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Bytes>) {
      json[std::string(field.name)] = value.count;
    } else {
      json[std::string(field.name)] = value;
    }
  });
  return json;
}

// Takes the keys of `json` that `Config` knows and leaves the others (several structs share one settings object).
template <class Config>
Config from_json(const Json& json) {
  Config config;
  Config::fields(config, [&](const Field& field, auto& value) {
    const auto found = json.find(std::string(field.name));
    if (found != json.end()) value = get_field<std::decay_t<decltype(value)>>(*found, field);
  });
  return config;
}

// For validate() of a config: Error(Exit::usage) with option, value and range unless it holds.
inline void require_setting(bool holds, const char* option, const Json& value, const char* range, const char* fix) {
  if (!holds) throw Error(Exit::usage, std::string(option) + " is " + value.dump() + ", expected " + range, fix);
}

}  // namespace frugal
