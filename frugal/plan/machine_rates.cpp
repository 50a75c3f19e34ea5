#include "frugal/plan/machine_rates.h"

#include <cstdlib>
#include <fstream>
#include <string_view>

#include "frugal/base/error.h"

namespace frugal {
namespace {

// The kernel lists AMX only when programs may use it.
bool has_cpu_flag(std::string_view wanted) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("flags")) return (line + " ").find(" " + std::string(wanted) + " ") != std::string::npos;
  }
  return false;
}

}  // namespace

const char* name(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::f32 ? "f32" : arithmetic == Arithmetic::bf16 ? "bf16" : "bf16 (AMX)";
}

Arithmetic machine_arithmetic() {
  const char* wish = std::getenv("FRUGAL_COMPUTE");
  const std::string_view asked = wish == nullptr ? "" : wish;
  if (!asked.empty() && asked != "f32" && asked != "bf16") {
    throw Error(Exit::usage, "FRUGAL_COMPUTE is '" + std::string(asked) + "'", "set it to bf16 or f32, or unset it");
  }
  const Arithmetic best = has_cpu_flag("amx_bf16") ? Arithmetic::bf16_tiles : Arithmetic::bf16;
  if (asked == "f32" || (asked.empty() && !has_cpu_flag("avx512_bf16"))) return Arithmetic::f32;
  return best;
}

}  // namespace frugal
