// What every reader of text checks first.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "frugal/formats/memory_map.h"

namespace frugal {

[[noreturn]] void refuse_line(const std::string& name, std::uint64_t line, const std::string& fact,
                              const std::string& fix);
// The text without its byte-order mark. Error(Exit::input): UTF-16, invalid UTF-8 or a NUL byte, with line and column
// (bytes). after_part: called behind every MiB.
std::string_view checked_text(std::string_view bytes, const std::string& name,
                              const std::function<void()>& after_part = {});
std::string read_whole(const std::filesystem::path& path);  // a regular file under 4 GiB; Error(Exit::input)

// The same without a copy of the file in memory: what has been read is given back to the system now and then.
class MappedText {
 public:
  explicit MappedText(const std::filesystem::path& path);  // Error: as read_whole and checked_text
  std::string_view text() const { return text_; }
  void read(std::size_t bytes);  // so many more, in order

 private:
  std::optional<MemoryMap> map_;  // none: an empty file
  std::string_view text_;
  std::size_t read_ = 0;  // since the last part was given back
};

}  // namespace frugal
