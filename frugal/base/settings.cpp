#include "frugal/base/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "frugal/base/json_text.h"
#include "frugal/base/units.h"

namespace frugal {
namespace {

[[noreturn]] void bad_value(const Field& field, std::string_view text, const std::string& expected) {
  throw Error(Exit::usage, flag_name(field.name) + " is '" + std::string(text) + "', expected " + expected,
              flag_name(field.name) + ": " + std::string(field.help));
}

// Settings are written as JSON, which is UTF-8; names of files are what they are, and replaced where they are written.
void require_utf8(const Field& field, std::string_view text) {
  if (!field.is_path && !is_utf8(text))
    throw Error(Exit::usage, flag_name(field.name) + " holds bytes that are not UTF-8", "write it in UTF-8");
}

// The value; an error says where it comes from unless that is the flag it names.
Json parsed(const FieldInfo& info, std::string_view text, const std::string& origin) {
  try {
    return info.parse(text);
  } catch (const Error& error) {
    if (origin.empty() || origin == flag_name(info.field.name)) throw;
    throw Error(error.code(), std::string(error.what()) + " (from " + origin + ")", error.fix());
  }
}

// Insertions, deletions, replacements and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> cost((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = cost[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      here = std::min(
          {(&here)[-1] + 1, cost[(i - 1) * width + j] + 1, cost[(i - 1) * width + j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here = std::min(here, cost[(i - 2) * width + j - 2] + 1);
    }
  }
  return cost.back();
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const auto word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

}  // namespace

std::string flag_name(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string variable_name(std::string_view name) {
  std::string variable = "FRUGAL_";
  for (const char c : name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

std::string key_name(std::string_view flag) {
  std::string key(flag.substr(std::min(flag.find_first_not_of('-'), flag.size())));
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::string best;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(name.substr(0, 64), candidate);
    if (distance < least) least = distance, best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string best = nearest_name(name, candidates);
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

namespace detail {

Json parse_bool(const Field& field, std::string_view text) {
  for (const auto yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const auto no : {"false", "0", "no", "off"}) {
    if (text == no) return false;
  }
  bad_value(field, text, "true or false");
}

Json parse_integer(const Field& field, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = end == text.data() + text.size();
  if (is_whole && error == std::errc::result_out_of_range) {
    bad_value(field, text,
              text.starts_with('-') ? "a whole number, at least -9223372036854775808"
                                    : "a whole number, at most 9223372036854775807");
  }
  if (error != std::errc() || !is_whole) bad_value(field, text, "a whole number");
  return value;
}

Json parse_number(const Field& field, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    bad_value(field, text, "a number");
  return value;
}

Json parse_text(const Field& field, std::string_view text) {
  require_utf8(field, text);
  const auto& choices = field.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
    bad_value(field, text, "one of " + joined(choices));
  }
  return std::string(text);
}

Json parse_list(const Field& field, std::string_view text) {
  require_utf8(field, text);
  Json list = Json::array();
  for (std::size_t at = 0; !text.empty() && at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    list.push_back(std::string(text.substr(at, comma - at)));
    at = comma + 1;
  }
  return list;
}

Json parse_size(const Field& field, std::string_view text) {
  try {
    return parse_bytes(text).count;
  } catch (const Error& error) {
    throw Error(error.code(), flag_name(field.name) + " is '" + std::string(text) + "', expected a size", error.fix());
  }
}

}  // namespace detail

std::string shown_value(const FieldInfo& info, const Json& value) {
  constexpr std::size_t kMost = 100;
  if (info.type == "SIZE" && value.is_number_unsigned() && value != 0) return format_bytes(value.get<std::uint64_t>());
  const auto text_of = [](const Json& part) { return part.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string text = text_of(value);
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  if (!value.is_array()) {
    while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "... (" + std::to_string(text.size()) + " bytes)";
  }
  text.clear();
  std::size_t shown = 0;
  for (; shown < value.size() && text.size() < kMost; ++shown) text += (shown == 0 ? "[" : ",") + text_of(value[shown]);
  return shown == value.size() ? text + "]" : text + ", and " + std::to_string(value.size() - shown) + " more]";
}

Settings::Settings(std::vector<FieldInfo> fields) : fields_(std::move(fields)) {
  for (const auto& info : fields_) values_.push_back({info.initial, "default"});
}

bool Settings::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const FieldInfo& info) { return info.field.name == name; });
}

Settings::Value& Settings::find(std::string_view name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].field.name == name) return values_[i];
    names.emplace_back(fields_[i].field.name);
  }
  throw Error(Exit::usage, "unknown key '" + std::string(name) + "'" + did_you_mean(name, names),
              "see --help for the settings there are");
}

const Settings::Value& Settings::at(std::string_view name) const { return const_cast<Settings*>(this)->find(name); }

void Settings::set(std::string_view name, std::string_view text, std::string origin) {
  Value& value = find(name);
  Json json = parsed(fields_[static_cast<std::size_t>(&value - values_.data())], text, origin);
  value = {std::move(json), std::move(origin)};
}

void Settings::set_json(std::string_view name, const Json& given, const std::string& origin) {
  Value& value = find(name);
  const FieldInfo& info = fields_[static_cast<std::size_t>(&value - values_.data())];
  if (info.type == "LIST" && given.is_array()) {
    for (const auto& item : given) {
      if (!item.is_string()) bad_value(info.field, given.dump(), "a list of texts");
    }
    value = {given, origin};
    return;
  }
  if (given.is_structured() || given.is_null()) bad_value(info.field, given.dump(), "one value");
  value = {parsed(info, given.is_string() ? given.get<std::string>() : given.dump(), origin), origin};
}

// A JSON value of these kinds is a TOML value, but for the one character that JSON leaves as it is.
std::string settings_file_text(const Json& values) {
  std::string text;
  for (const auto& [name, value] : values.items()) {
    text += name + " = ";
    for (const char c : value.dump()) text += c == '\x7f' ? std::string("\\u007f") : std::string(1, c);
    text += "\n";
  }
  return text;
}

Json Settings::values() const {
  Json json = Json::object();
  for (std::size_t i = 0; i < fields_.size(); ++i) json[std::string(fields_[i].field.name)] = values_[i].value;
  return json;
}

}  // namespace frugal
