// The machine a run or a benchmark was made on.
#pragma once
#include "frugal/base/json.h"

namespace frugal {

// {"cpu", "cores", "memory_bytes", "isa"}: cores this process may use; isa is the best of what matters here,
// "amx-bf16", "avx512-bf16", "avx512", "avx2", "asimd" or "base". Unknown ones are "" or 0.
Json machine_record();

}  // namespace frugal
