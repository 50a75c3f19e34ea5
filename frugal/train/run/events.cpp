#include "frugal/train/run/events.h"

#include <string>
#include <string_view>

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"

namespace frugal {
namespace {

// Calls event(value) for each whole line until it returns false, and returns the number of bytes of those before.
template <class Call>
std::uint64_t scan(const std::filesystem::path& path, const Call& event) {
  if (!std::filesystem::exists(path)) return 0;
  const std::string text = read_file(path);
  std::size_t good = 0;
  for (std::size_t end; (end = text.find('\n', good)) != std::string::npos; good = end + 1) {
    Json value = json_of(std::string_view(text).substr(good, end - good));
    if (!value.is_object() || !event(std::move(value))) break;
  }
  return good;
}

}  // namespace

EventLog::EventLog(const std::filesystem::path& path, std::uint64_t last)
    : file_(path, scan(path, [&](const Json& event) {
              const auto step = event.find("step");
              return step == event.end() || !step->is_number_unsigned() || step->get<std::uint64_t>() <= last;
            })) {}

void EventLog::append(const Json& event) {
  file_.append(event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<Json> read_events(const std::filesystem::path& path) {
  std::vector<Json> events;
  scan(path, [&](Json&& value) {
    events.push_back(std::move(value));
    return true;
  });
  return events;
}

}  // namespace frugal
