// What every reader of text checks first.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace frugal {

[[noreturn]] void refuse_line(const std::string& name, std::uint64_t line, const std::string& fact,
                              const std::string& fix);
// The text without its byte-order mark. Error(Exit::input): UTF-16, invalid UTF-8 or a NUL byte, with line and column
// (bytes).
std::string_view checked_text(std::string_view bytes, const std::string& name);
std::string read_whole(const std::filesystem::path& path);  // a regular file under 4 GiB; Error(Exit::input)

}  // namespace frugal
