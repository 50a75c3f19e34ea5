// How fast products and memory are, as far as an estimate before the run needs to know.
#pragma once
#include <cstdint>
#include <string>

namespace frugal {

enum class Arithmetic { f32, bf16, bf16_tiles };  // products in fp32, AVX512-BF16, AMX
const char* name(Arithmetic arithmetic);           // "f32", "bf16", "bf16 (AMX)"
inline std::uint64_t bytes_of(Arithmetic arithmetic) { return arithmetic == Arithmetic::f32 ? 4 : 2; }

// What this machine's forward will use; FRUGAL_COMPUTE=f32 or bf16 overrides. Error(Exit::usage) for another value of it.
Arithmetic machine_arithmetic();

// Per thread. Measured on two cores of a server processor with the LibTorch 2.13 wheel: products of 128 to 1,024 rows (130 GFLOP/s
// in fp32, 120 in AVX512-BF16, 600 in AMX on both), table Gaussians (36 ms for both panels of 134.5 M weights, 52 ms for their update).
struct MachineRates {
  double f32_flops = 65e9, bf16_flops = 60e9, tiles_flops = 300e9;  // floating-point operations a second
  double panel_weights = 1.9e9;   // weights a second that become two perturbed panels
  double update_weights = 1.3e9;  // weights a second that are updated
  double plain_weights = 2.5e9;   // weights a second that are copied or dequantised into a panel
};

inline double flops_of(const MachineRates& rates, Arithmetic arithmetic) {
  return arithmetic == Arithmetic::f32 ? rates.f32_flops : arithmetic == Arithmetic::bf16 ? rates.bf16_flops : rates.tiles_flops;
}

}  // namespace frugal
