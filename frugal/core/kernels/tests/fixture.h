// Runs a test body on every instruction set of this processor, and makes weights to run it on.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

template <class Body>
void on_every_isa(const Body& body) {
  for (const std::string& name : isa_available()) {
    SCOPED_TRACE(name);
    force_isa(name);
    body();
    if (::testing::Test::HasFatalFailure()) break;
  }
  force_isa("");
}

// Magnitudes over many binades around 0.05, with zeros of both signs; bf16 values are exact in float.
template <class T>
std::vector<T> sample_weights(std::size_t n, std::uint64_t seed = 1) {
  PhiloxSequence random(seed, Stream::initial);
  std::vector<T> w(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double magnitude = std::ldexp(1 + random.uniform(), -3 - static_cast<int>(random.below(12)));
    const float value = static_cast<float>(i % 97 == 13 ? 0.0 : magnitude) * (random.below(2) ? -1.0f : 1.0f);
    if constexpr (std::is_same_v<T, float>)
      w[i] = value;
    else
      w[i].bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
  }
  return w;
}

template <class T>
bool same_bits(const T* a, const T* b, std::size_t n) {
  return n == 0 || std::memcmp(a, b, n * sizeof(T)) == 0;
}

template <class T>
std::size_t first_difference(const T* a, const T* b, std::size_t n) {
  std::size_t i = 0;
  while (i < n && same_bits(a + i, b + i, 1)) ++i;
  return i;
}

}  // namespace frugal::kernels
