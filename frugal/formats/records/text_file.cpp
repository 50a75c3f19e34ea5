#include "frugal/formats/records/text_file.h"

#include <utf8proc.h>

#include <algorithm>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/units.h"
#include "frugal/formats/records/records.h"

namespace frugal {
namespace {
constexpr std::uint64_t kMaxFile = std::uint64_t{4} << 30;
}

void refuse_line(const std::string& name, std::uint64_t line, const std::string& fact, const std::string& fix) {
  throw Error(Exit::input, name + " line " + std::to_string(line) + ": " + fact, fix);
}

std::string_view checked_text(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    throw Error(Exit::input, name + " is UTF-16", "save it as UTF-8: iconv -f UTF-16 -t UTF-8");
  }
  const auto place = [&](std::size_t at) {
    const auto line =
        static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n')) +
        1;
    const std::size_t start = bytes.substr(0, at).rfind('\n');
    return std::pair(line, at - (start == std::string_view::npos ? 0 : start + 1) + 1);
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte != 0 && byte < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t code = 0;
    const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data() + at);
    const auto left = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(bytes.size() - at, 4));
    const utf8proc_ssize_t taken = byte == 0 ? 0 : utf8proc_iterate(from, left, &code);
    if (taken <= 0) {
      const auto [line, column] = place(at);
      refuse_line(name, line,
                  std::string(byte == 0 ? "a NUL byte" : "invalid UTF-8") + " at byte " + std::to_string(column),
                  byte == 0 ? "this is not a text file; check the path" : "save it as UTF-8: iconv -f LATIN1 -t UTF-8");
    }
    at += static_cast<std::size_t>(taken);
  }
  return bytes;
}

std::string read_whole(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed))
    throw Error(Exit::input, path.string() + " does not exist", "check the path");
  if (!std::filesystem::is_regular_file(path, failed))
    throw Error(Exit::input, path.string() + " is not a file", "check the path");
  const std::uint64_t size = std::filesystem::file_size(path, failed);
  if (!failed && size > kMaxFile) {
    throw Error(Exit::input, path.string() + " has " + format_bytes(size) + ", the most is " + format_bytes(kMaxFile),
                "split it");
  }
  return read_file(path);
}

std::string read_text(const std::filesystem::path& path) {
  std::string bytes = read_whole(path);
  const std::string_view text = checked_text(bytes, path.string());
  if (text.empty()) throw Error(Exit::input, path.string() + " is empty", "give a file with text");
  return std::string(text);
}

}  // namespace frugal
