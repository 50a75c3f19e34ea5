// The rule of merge, convert and the systems for a file that is written by the name it was given: one that is there is
// not replaced.
#pragma once
#include <filesystem>
#include <string>

#include "frugal/base/error.h"

namespace frugal {

// Error(Exit::input): something of this name is there. An empty path is none.
inline void require_new_file(const std::string& option, const std::string& path) {
  std::error_code failed;
  if (!path.empty() && std::filesystem::exists(path, failed))
    throw Error(Exit::input, option + ": " + path + " is there already", "name another file, or remove it");
}

}  // namespace frugal
