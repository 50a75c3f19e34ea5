#include "frugal/cli/machine.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace frugal {

bool has_processor_flag(std::string_view flag) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == flag) return true;
    }
    return false;
  }
  return false;
}

bool computes_in_bf16() {
  if (const char* forced = std::getenv("FRUGAL_COMPUTE")) return std::string_view(forced) == "bf16";
  return has_processor_flag("avx512_bf16") || has_processor_flag("amx_bf16");
}

std::int64_t cores() { return std::max<std::int64_t>(1, std::thread::hardware_concurrency()); }

}  // namespace frugal
