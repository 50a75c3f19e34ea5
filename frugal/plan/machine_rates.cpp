#include "frugal/plan/machine_rates.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace frugal {
namespace {

bool has_cpu_flag(std::string_view wanted) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream flags(line);
    return std::find(std::istream_iterator<std::string>(flags), {}, wanted) != std::istream_iterator<std::string>();
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
