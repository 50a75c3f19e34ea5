// What the processor has, as the kernel tells it; no LibTorch.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

bool has_processor_flag(std::string_view flag);  // as /proc/cpuinfo names it: "avx2", "amx_bf16", "asimd"
std::string processor_name();                    // "" where the kernel does not say
std::vector<int> usable_cpus();                  // numbers of those that this process may run on; empty: unknown
std::int64_t usable_cores();                     // how many they are, at least 1
// Whether matrix products run in bf16: the processor has AVX512-BF16 (every one with AMX does), or
// FRUGAL_COMPUTE=bf16|f32 says. Error(Exit::usage) for another value of FRUGAL_COMPUTE.
bool computes_in_bf16();

}  // namespace frugal
