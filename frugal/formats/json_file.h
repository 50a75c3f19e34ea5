// JSON files that others wrote.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/json_text.h"

namespace frugal {

// name: for messages. Error(Exit::input): not JSON, nested too deep (see base/json_text.h).
template <class T = Json>
T parse_json(std::string_view text, const std::string& name) {
  if (is_too_deep(text)) {
    throw Error(Exit::input, name + " is nested more than " + std::to_string(kDeepestJson) + " deep",
                "download the file again");
  }
  T json = json_of<T>(text);
  if (json.is_discarded()) throw Error(Exit::input, name + " is not JSON", "download the file again");
  return json;
}

template <class T = Json>
T read_json(const std::filesystem::path& path, std::uint64_t most = kMostSettings) {
  return parse_json<T>(read_file(path, most), path.string());
}

}  // namespace frugal
