// How fast products and memory are, as far as an estimate before the run needs to know.
#pragma once
#include <filesystem>

#include "frugal/base/json.h"

namespace frugal {

// Per thread. The defaults are measured on two cores of a server processor with the LibTorch 2.13 wheel: products of
// 128 to 1,024 rows (130 GFLOP/s in fp32, 120 with AVX512-BF16, 600 with AMX on both), both panels of 134.5 M weights
// from table Gaussians in 36 ms, their update in 52 ms.
struct MachineRates {
  double f32_flops = 65e9, bf16_flops = 60e9;  // floating-point operations a second
  double panel_weights = 1.9e9;                // weights a second that become two perturbed panels
  double plain_weights = 2.5e9;                // weights a second that are copied or dequantised into one panel
  double update_weights = 1.3e9;               // weights a second that are updated
};

// What `doctor --calibrate` has stored for this processor; else the defaults, with AMX's rate of bf16 products where
// the processor has it.
MachineRates machine_rates();

// $XDG_CACHE_HOME/frugal/rates.json, or ~/.cache/...; empty where the environment has neither.
std::filesystem::path rates_file();
// As rates_file holds them: the processor's name, and the rates. A file of another processor, or of another form, is
// not used.
Json rates_json(const MachineRates& rates);
void store_rates(const MachineRates& rates);  // Error(Exit::input): no place, or it cannot be written

}  // namespace frugal
