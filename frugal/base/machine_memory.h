// Memory of this machine.
#pragma once
#include <cstdint>
#include <fstream>
#include <string>

namespace frugal {

// Bytes that processes can still take without swapping (MemAvailable of /proc/meminfo); 0 when the system does not say.
inline std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string name; file >> name; file.ignore(256, '\n')) {
    std::uint64_t kib = 0;
    if (name == "MemAvailable:" && file >> kib) return kib * 1024;
  }
  return 0;
}

}  // namespace frugal
