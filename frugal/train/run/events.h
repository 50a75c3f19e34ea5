// events.jsonl: what happened in a run, one JSON object a line, in order.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/run/append_file.h"

namespace frugal {

class EventLog {
 public:
  // Goes on behind the last whole line of at most step `last`; a torn one, and what later steps wrote, is cut.
  explicit EventLog(const std::filesystem::path& path, std::uint64_t last = std::numeric_limits<std::uint64_t>::max());
  void append(const Json& event);
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

// The lines up to the first that is torn or no JSON object; empty when there is no such file.
std::vector<Json> read_events(const std::filesystem::path& path);

}  // namespace frugal
