#include "frugal/formats/records/text_file.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/units.h"
#include "frugal/formats/records/records.h"

namespace frugal {
namespace {
constexpr std::uint64_t kMaxFile = std::uint64_t{4} << 30;
constexpr std::size_t kPart = 1 << 20;    // of a map that is resident
constexpr std::size_t kLeastRecord = 64;  // what stands around a record's texts, about

void require_file(const std::filesystem::path& path) {
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
}

}  // namespace

void refuse_line(const std::string& name, std::uint64_t line, const std::string& fact, const std::string& fix) {
  throw Error(Exit::input, name + " line " + std::to_string(line) + ": " + fact, fix);
}

std::string_view checked_text(std::string_view bytes, const std::string& name,
                              const std::function<void()>& after_part) {
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
  std::size_t part = kPart;
  for (std::size_t at = 0; at < bytes.size();) {
    if (after_part && at >= part) {
      after_part();
      part += kPart;
    }
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
  require_file(path);
  return read_file(path, kMaxFile);
}

MappedText::MappedText(const std::filesystem::path& path) {
  require_file(path);
  std::error_code failed;
  if (std::filesystem::file_size(path, failed) == 0 && !failed) return;
  map_.emplace(path);
  const std::span<const std::byte> bytes = map_->bytes();
  text_ = checked_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string(),
                       [&] { map_->release(bytes); });
}

void MappedText::read(std::size_t bytes) {
  read_ += bytes + kLeastRecord;
  if (!map_ || read_ < kPart) return;
  map_->release(map_->bytes());
  read_ = 0;
}

std::size_t most_records(const std::filesystem::path& path, std::size_t limit) {
  if (path.extension() == ".json") return limit;  // an array's lines are not its records
  std::ifstream file = open_file(path);
  std::vector<char> part(1 << 20);
  std::size_t lines = 1;
  do {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    lines += static_cast<std::size_t>(std::count(part.begin(), part.begin() + file.gcount(), '\n'));
  } while (file);
  return limit > 0 ? std::min(limit, lines) : lines;
}

std::string read_text(const std::filesystem::path& path) {
  std::string bytes = read_whole(path);
  bytes.erase(0, bytes.size() - checked_text(bytes, path.string()).size());  // the byte-order mark
  if (bytes.empty()) throw Error(Exit::input, path.string() + " is empty", "give a file with text");
  return bytes;
}

}  // namespace frugal
