// What keeps random numbers apart, in one place: streams, the last word of a counter; samples, which with a seed and a
// step make a key (philox_key); and steps that no run takes. Numbers in use stay as they are, so that logs of steps
// replay; new streams are names: named_stream.
#pragma once
#include <cstdint>
#include <string_view>

namespace frugal {

// What a stream of random numbers is for.
enum class Stream : std::uint32_t {
  direction = 0,
  rounding = 1,
  mask = 2,
  shuffle = 3,
  sampling = 4,
  initial = 5,
  dropout = 6,
  key = 0x6b6579  // keys themselves: philox_key
};

// A stream of a system's own, by a name that no other has: "swarm.noise". The name's FNV-1a hash with its top bit set,
// so that it meets none of those above.
constexpr Stream named_stream(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return static_cast<Stream>(hash | 0x80000000u);
}

// Samples of a key (seed, step, sample). Those of a zeroth-order step count up from 0, one a direction; what else a
// step draws has a number that they do not reach.
enum KeySample : std::uint32_t {
  kMaskSample = 0xffffffff,         // random masks of weights
  kRoundingSample = 0xfffffffe,     // stochastic rounding of bf16 weights, of every optimiser
  kDropoutSample = 0xfffffffd,      // of low-rank pairs
  kWindowOrderSample = 0xfffffffc,  // BAdam's scattered shares; the step is the tensor's id
  kBlockOrderSample = 0xb10c,       // BAdam's order of blocks; the step is the round
  kCalibrationSample = 0x5c0,       // SPruFT's choice of examples that rows are scored on
  kRandomScoreSample = 0x4a,        // its --score random
  kProbeSample = 0x20               // the directions of its --score zo-taylor
};

// Steps of the race for a step size: their directions are those of no run.
inline constexpr std::uint64_t kRaceSteps = std::uint64_t{1} << 40;

}  // namespace frugal
