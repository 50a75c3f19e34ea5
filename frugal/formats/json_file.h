// JSON that others wrote. Nesting is bounded while parsing: copying and printing a value walk it recursively.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"

namespace frugal {

// name: for messages. Error(Exit::input): not JSON, nested more than 64 deep.
template <class T = Json>
T parse_json(std::string_view text, const std::string& name) {
  const auto judge = [&](int depth, typename T::parse_event_t, const T&) {
    if (depth > 64) throw Error(Exit::input, name + " is nested more than 64 deep", "download the file again");
    return true;
  };
  T json = T::parse(text, judge, false);
  if (json.is_discarded()) throw Error(Exit::input, name + " is not JSON", "download the file again");
  return json;
}

template <class T = Json>
T read_json(const std::filesystem::path& path) {
  return parse_json<T>(read_file(path), path.string());
}

}  // namespace frugal
