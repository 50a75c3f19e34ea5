// Checks of settings before anything is loaded. Each Error gives the option, its value and what was expected.
#pragma once
#include <cstdint>
#include <string>

#include "frugal/base/error.h"

namespace frugal {

void require_given(const std::string& option, const std::string& value, const std::string& example);
void require_file(const std::string& option, const std::string& path);  // a readable file, unless empty
void require_model(const std::string& path);                            // given, and something is there
void require_new_folder(const std::string& path);                       // absent or an empty folder
void require_at_least(const std::string& option, std::int64_t value, std::int64_t least);
void require_between(const std::string& option, double value, double least, double most);

}  // namespace frugal
