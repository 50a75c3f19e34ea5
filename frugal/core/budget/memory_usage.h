// What this process holds, as the kernel counts it (/proc/self/status).
#pragma once
#include <cstdint>
#include <string_view>

namespace frugal {

struct MemoryUsage {            // bytes; 0: the kernel does not say
  std::uint64_t peak = 0;       // VmHWM: most that was ever resident
  std::uint64_t resident = 0;   // VmRSS
  std::uint64_t anonymous = 0;  // RssAnon: what the process wrote
  std::uint64_t file = 0;       // RssFile: mapped files' pages
};

MemoryUsage parse_memory_usage(std::string_view status);  // the text of /proc/PID/status
MemoryUsage memory_usage();

// Sets the peak back to what is resident now. False when the kernel does not allow it.
bool reset_peak();

}  // namespace frugal
