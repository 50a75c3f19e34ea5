// Uniform doubles as MATLAB's rng(seed) and rand give them: the Mersenne twister of Matsumoto and Nishimura (1998),
// seeded by init_genrand, two words a double. The one generator of this system that is not Philox: the published
// engagements are named by such seeds.
#pragma once
#include <cstdint>
#include <random>

namespace frugal::swarm {

class MersenneUniform {
 public:
  explicit MersenneUniform(std::uint32_t seed) : words_(seed) {}
  double operator()() {  // [0, 1), 53 bits
    const std::uint64_t a = words_() >> 5, b = words_() >> 6;
    return static_cast<double>(a << 26 | b) * 0x1p-53;
  }

 private:
  std::mt19937 words_;
};

}  // namespace frugal::swarm
