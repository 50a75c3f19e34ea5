// Where a setting comes from: built-in default < file (--config run.toml) < environment FRUGAL_* < flag.
// Built from the field lists of config structs (config.h); every value keeps its origin for `frugal config show`.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/config.h"

namespace frugal {

// A field without its struct: what parsing, help and files need.
struct FieldInfo {
  Field field;
  std::string type;                             // "flag", "N", "NUMBER", "TEXT", "LIST", "SIZE"
  Json initial;                                 // the built-in default
  std::function<Json(std::string_view)> parse;  // from text; Error(Exit::usage) naming the option and the value
};

std::string flag_name(std::string_view name);      // max_length -> --max-length
std::string variable_name(std::string_view name);  // max_length -> FRUGAL_MAX_LENGTH
std::string key_name(std::string_view flag);       // --max-length, max-length -> max_length
// The candidate closest to `name` by edit distance; empty when none is within a third of its length (at least 2).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);
std::string did_you_mean(std::string_view name,
                         const std::vector<std::string>& candidates);  // "; did you mean 'x'?" or empty

namespace detail {
Json parse_bool(const Field&, std::string_view);
Json parse_integer(const Field&, std::string_view);
Json parse_number(const Field&, std::string_view);
Json parse_text(const Field&, std::string_view);
Json parse_list(const Field&, std::string_view);  // comma-separated
Json parse_size(const Field&, std::string_view);
}  // namespace detail

// T outside the built-in types: T::parse(text) and nlohmann conversions, and T::kTypeName for the help.
template <class T>
FieldInfo describe_field(const Field& field, const T& initial) {
  const auto info = [&](const char* type, Json (*parse)(const Field&, std::string_view), Json value) {
    return FieldInfo{field, type, std::move(value),
                     [field, parse](std::string_view text) { return parse(field, text); }};
  };
  if constexpr (std::is_same_v<T, bool>)
    return info("flag", detail::parse_bool, initial);
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return info("N", detail::parse_integer, initial);
  else if constexpr (std::is_same_v<T, double>)
    return info("NUMBER", detail::parse_number, initial);
  else if constexpr (std::is_same_v<T, std::string>)
    return info("TEXT", detail::parse_text, initial);
  else if constexpr (std::is_same_v<T, std::vector<std::string>>)
    return info("LIST", detail::parse_list, initial);
  else if constexpr (std::is_same_v<T, Bytes>)
    return info("SIZE", detail::parse_size, initial.count);
  else
    return info(
        T::kTypeName, [](const Field&, std::string_view text) { return Json(T::parse(text)); }, initial);
}

template <class Config>
std::vector<FieldInfo> describe_fields() {
  std::vector<FieldInfo> list;
  const Config config;
  Config::fields(config, [&](const Field& field, const auto& value) { list.push_back(describe_field(field, value)); });
  return list;
}

// A value as a line of a terminal has it: sizes with their unit, long texts and lists cut.
std::string shown_value(const FieldInfo& info, const Json& value);

class Settings {
 public:
  explicit Settings(std::vector<FieldInfo> fields);
  struct Value {
    Json value;
    std::string origin;  // "default", a file's name, "FRUGAL_LR", "--lr"
    bool is_given() const { return origin != "default"; }
  };

  const std::vector<FieldInfo>& fields() const { return fields_; }
  bool has(std::string_view name) const;
  const Value& at(std::string_view name) const;
  bool is_given(std::string_view name) const { return has(name) && at(name).is_given(); }
  void set(std::string_view name, std::string_view text, std::string origin);          // parses text
  void set_json(std::string_view name, const Json& value, const std::string& origin);  // a value from a file
  Json values() const;  // {name: value}, in declared order

 private:
  Value& find(std::string_view name);
  std::vector<FieldInfo> fields_;
  std::vector<Value> values_;
};

// A TOML file as one flat object. Error(Exit::usage): unreadable, not TOML (with its line), a table where a value is
// expected.
Json read_settings_file(const std::filesystem::path& path);
// {name: value} as such a file: texts, numbers, flags and lists of texts.
std::string settings_file_text(const Json& values);

}  // namespace frugal
