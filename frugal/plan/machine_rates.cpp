#include "frugal/plan/machine_rates.h"

#include <fstream>
#include <string>
#include <string_view>

namespace frugal {
namespace {

bool has_cpu_flag(std::string_view wanted) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("flags")) return (line + " ").find(" " + std::string(wanted) + " ") != std::string::npos;
  }
  return false;
}

}  // namespace

MachineRates machine_rates() {
  MachineRates rates;
  if (has_cpu_flag("amx_bf16")) rates.bf16_flops = 300e9;
  return rates;
}

}  // namespace frugal
