#include "frugal/train/run/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace frugal {
namespace {

// Value of the first line of /proc/cpuinfo whose key is one of the two.
std::string cpu_line(const char* key, const char* other) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string name = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    if (name == key || name == other) return colon + 2 < line.size() ? line.substr(colon + 2) : std::string();
  }
  return {};
}

std::string best_isa() {
  std::istringstream words(cpu_line("flags", "Features"));
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  constexpr std::pair<const char*, const char*> known[] = {
      {"amx_bf16", "amx-bf16"}, {"avx512_bf16", "avx512-bf16"}, {"avx512bw", "avx512"}, {"avx2", "avx2"}, {"asimd", "asimd"}};
  for (const auto& [flag, name] : known) {
    if (flags.contains(flag)) return name;
  }
  return "base";
}

unsigned usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

Json machine_record() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  return {{"cpu", cpu_line("model name", "CPU part")},
          {"cores", usable_cores()},
          {"memory_bytes", pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0},
          {"isa", best_isa()}};
}

}  // namespace frugal
