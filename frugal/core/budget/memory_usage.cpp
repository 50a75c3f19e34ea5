#include "frugal/core/budget/memory_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace frugal {

MemoryUsage parse_memory_usage(std::string_view status) {
  MemoryUsage usage;
  const std::pair<std::string_view, std::uint64_t*> wanted[] = {
      {"VmHWM:", &usage.peak}, {"VmRSS:", &usage.resident}, {"RssAnon:", &usage.anonymous}, {"RssFile:", &usage.file}};
  while (!status.empty()) {
    const std::string_view line = status.substr(0, status.find('\n'));
    for (const auto& [key, value] : wanted) {
      const auto digit = line.find_first_of("0123456789");
      if (!line.starts_with(key) || digit == std::string_view::npos) continue;
      std::uint64_t kib = 0;
      if (std::from_chars(line.data() + digit, line.data() + line.size(), kib).ec == std::errc()) *value = kib * 1024;
    }
    status.remove_prefix(std::min(status.size(), line.size() + 1));
  }
  return usage;
}

MemoryUsage memory_usage() {
  char text[8192];  // the file has about 1,500 bytes; no allocation, since this is called when memory is short
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  return size > 0 ? parse_memory_usage({text, static_cast<std::size_t>(size)}) : MemoryUsage{};
}

bool reset_peak() {
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = ::write(file, "5", 1) == 1;  // 5: reset the peak (Linux 4.0)
  ::close(file);
  return done;
}

}  // namespace frugal
