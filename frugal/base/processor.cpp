#include "frugal/base/processor.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "frugal/base/error.h"

namespace frugal {
namespace {

// Value of the first line of /proc/cpuinfo whose key is one of the two; x86 and arm name them differently.
std::string cpu_line(std::string_view key, std::string_view other) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    if (name == key || name == other) return colon + 2 < line.size() ? line.substr(colon + 2) : std::string();
  }
  return {};
}

}  // namespace

bool has_processor_flag(std::string_view flag) {
  std::istringstream flags(cpu_line("flags", "Features"));
  return std::find(std::istream_iterator<std::string>(flags), {}, flag) != std::istream_iterator<std::string>();
}

std::string processor_name() { return cpu_line("model name", "CPU part"); }

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

std::int64_t usable_cores() {
  if (const std::vector<int> cpus = usable_cpus(); !cpus.empty()) return static_cast<std::int64_t>(cpus.size());
  return std::max<std::int64_t>(1, std::thread::hardware_concurrency());
}

bool computes_in_bf16() {
  const char* value = std::getenv("FRUGAL_COMPUTE");
  const std::string wish = value == nullptr ? "" : value;
  if (wish.empty()) return has_processor_flag("avx512_bf16");
  if (wish != "bf16" && wish != "f32")
    throw Error(Exit::usage, "FRUGAL_COMPUTE is '" + wish + "'", "set it to bf16 or f32, or unset it");
  return wish == "bf16";
}

}  // namespace frugal
