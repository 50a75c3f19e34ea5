// What the processor has, without LibTorch.
#pragma once
#include <cstdint>
#include <string_view>

namespace frugal {

bool has_processor_flag(std::string_view flag);  // as /proc/cpuinfo names it
// Whether products run in bf16: AVX512-BF16 or AMX is there, or FRUGAL_COMPUTE says so.
bool computes_in_bf16();
std::int64_t cores();

}  // namespace frugal
