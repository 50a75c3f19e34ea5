// events.jsonl: what happened in a run, one JSON object a line, in order. The last key of a line, "crc", is the CRC-32
// of the line without it, with that of the line before as its start, of the first line that of the run's name: a line
// that is changed, missing, out of its place or of another run is found.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/run/append_file.h"

namespace frugal {

class EventLog {
 public:
  // Goes on behind the last whole line of at most step `last`; a torn one, and what later steps wrote, is cut, and so
  // is what lies behind a damaged line: who has to know of it reads first. has_checksums: see RunFolder.
  explicit EventLog(const std::filesystem::path& path, std::uint64_t last = std::numeric_limits<std::uint64_t>::max(),
                    bool has_checksums = true, std::uint32_t start = 0);
  void append(const Json& event);
  void sync() { file_.sync(); }

 private:
  const bool has_checksums_;
  std::uint32_t crc_;  // of the last line
  AppendFile file_;
};

// Lines one after the other, held against their checksums; for who reads them by itself.
class LineCheck {
 public:
  explicit LineCheck(std::uint32_t start = 0) : crc_(start) {}
  bool is_whole(std::string_view line);

 private:
  std::uint32_t crc_;  // that the line before names
};

struct ReadEvents {
  std::vector<Json> events;      // those before the first damaged line
  std::size_t damaged_line = 0;  // its number from 1; 0: none. A torn line at the end is no damage, a killed process.
};
// Without events where there is no such file.
ReadEvents read_events(const std::filesystem::path& path, bool has_checksums, std::uint32_t start = 0);

}  // namespace frugal
