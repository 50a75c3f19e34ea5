#include "frugal/train/run/machine.h"

#include <unistd.h>

#include <utility>

#include "frugal/base/processor.h"

namespace frugal {
namespace {

std::string best_isa() {
  constexpr std::pair<const char*, const char*> known[] = {{"amx_bf16", "amx-bf16"},
                                                           {"avx512_bf16", "avx512-bf16"},
                                                           {"avx512bw", "avx512"},
                                                           {"avx2", "avx2"},
                                                           {"asimd", "asimd"}};
  for (const auto& [flag, name] : known) {
    if (has_processor_flag(flag)) return name;
  }
  return "base";
}

}  // namespace

Json machine_record() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  return {{"cpu", processor_name()},
          {"cores", usable_cores()},
          {"memory_bytes",
           pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0},
          {"isa", best_isa()}};
}

}  // namespace frugal
