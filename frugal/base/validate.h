// Checks of settings before anything is loaded. Each Error gives the option, its value and what was expected.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "frugal/base/error.h"
#include "frugal/base/settings.h"

namespace frugal {

void require_given(const std::string& option, const std::string& value, const std::string& example);
void require_file(const std::string& option, const std::string& path);  // a readable file, unless empty
// The folder that `path` would be made in, or the nearest above it that is there, is a folder one may write to.
void require_writable_parent(const std::string& option, const std::string& path);
// The same, its folder is there, and it is no folder itself. Of a symbolic link: where that leads.
void require_writable_file(const std::string& option, const std::string& path);
// Whether a folder holds nothing, or only what a run killed before its record was written leaves.
bool is_unused_folder(const std::filesystem::path& folder);
void require_new_folder(const std::string& path);  // absent or unused
// Writing `path` would overwrite none of the files that are read: compared by device and inode, so that links count.
// inputs: what names each, and the file; of a folder the files in it and in those below. Error(Exit::usage).
using InputFiles = std::initializer_list<std::pair<std::string_view, std::filesystem::path>>;
void require_not_input(const std::string& option, const std::string& path, InputFiles inputs);
// Refuses those of `names` that are given as flags, which this use of the verb would pass over. Files and the
// environment may hold settings for other uses, and options that the settings have not are passed over. why: "--text
// takes none of the prompt's options".
void refuse_flags(const Settings& settings, std::initializer_list<std::string_view> names, const std::string& why);
void require_at_least(const std::string& option, std::int64_t value, std::int64_t least);
void require_between(const std::string& option, double value, double least, double most);

}  // namespace frugal
