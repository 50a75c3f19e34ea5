// events.jsonl: what happened in a run, one JSON object a line, in order.
#pragma once
#include <filesystem>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/run/append_file.h"

namespace frugal {

class EventLog {
 public:
  explicit EventLog(const std::filesystem::path& path);  // goes on behind the last whole line; a torn one is cut
  void append(const Json& event);
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
};

// The lines up to the first that is torn or no JSON object; empty when there is no such file.
std::vector<Json> read_events(const std::filesystem::path& path);

}  // namespace frugal
