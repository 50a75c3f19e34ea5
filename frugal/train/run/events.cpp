#include "frugal/train/run/events.h"

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"
#include "frugal/train/run/crc32.h"

namespace frugal {
namespace {

constexpr std::string_view kKey = ",\"crc\":\"";
constexpr std::size_t kTail = kKey.size() + 8 + 2;  // with the digits and "}

std::string digits_of(std::uint32_t crc) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", crc);
  return text;
}

// The line without its checksum, which becomes `crc`; empty: it does not agree.
std::string checked(std::string_view line, std::uint32_t& crc) {
  if (line.size() <= kTail || line.substr(line.size() - kTail, kKey.size()) != kKey) return "";
  const std::string text = std::string(line.substr(0, line.size() - kTail)) + "}";
  crc = crc32(text.data(), text.size(), crc);
  const std::string tail = std::string(kKey) + digits_of(crc) + "\"}";
  return line.ends_with(tail) ? text : "";
}

struct Scanned {
  std::uint64_t bytes = 0;       // of the whole lines before the end or the first that `event` refused
  std::uint32_t crc = 0;         // of the last of them
  std::size_t damaged_line = 0;  // see ReadEvents
};

// Calls event(value) for each whole line until it returns false.
template <class Call>
Scanned scan(const std::filesystem::path& path, bool has_checksums, std::uint32_t start, const Call& event) {
  Scanned found{.crc = start};
  if (!std::filesystem::exists(path)) return found;
  const std::string file = read_file(path);
  std::size_t number = 1;
  for (std::size_t end; (end = file.find('\n', found.bytes)) != std::string::npos; found.bytes = end + 1, ++number) {
    const std::string_view line = std::string_view(file).substr(found.bytes, end - found.bytes);
    std::uint32_t crc = found.crc;
    Json value = json_of(has_checksums ? checked(line, crc) : line);
    if (!value.is_object()) found.damaged_line = number;
    if (!value.is_object() || !event(std::move(value))) break;
    found.crc = crc;
  }
  return found;
}

}  // namespace

EventLog::EventLog(const std::filesystem::path& path, std::uint64_t last, bool has_checksums, std::uint32_t start)
    : has_checksums_(has_checksums), crc_(start), file_(path, [&] {
        const Scanned found = scan(path, has_checksums, start, [&](const Json& event) {
          const auto step = event.find("step");
          return step == event.end() || !step->is_number_unsigned() || step->get<std::uint64_t>() <= last;
        });
        crc_ = found.crc;
        return found.bytes;
      }()) {}

void EventLog::append(const Json& event) {
  std::string text = event.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (!has_checksums_) return file_.append(text + "\n");
  const std::uint32_t crc = crc32(text.data(), text.size(), crc_);
  text.pop_back();
  file_.append(text + std::string(kKey) + digits_of(crc) + "\"}\n");
  crc_ = crc;
}

// The next line begins with what this one names, whole or not: one damaged line does not take those behind along.
bool LineCheck::is_whole(std::string_view line) {
  const bool is_good = !checked(line, crc_).empty();
  if (line.size() > kTail) {
    const std::string_view digits = line.substr(line.size() - 10, 8);
    std::from_chars(digits.data(), digits.data() + digits.size(), crc_, 16);
  }
  return is_good;
}

ReadEvents read_events(const std::filesystem::path& path, bool has_checksums, std::uint32_t start) {
  ReadEvents read;
  const Scanned found = scan(path, has_checksums, start, [&](Json&& value) {
    read.events.push_back(std::move(value));
    return true;
  });
  read.damaged_line = found.damaged_line;
  return read;
}

}  // namespace frugal
