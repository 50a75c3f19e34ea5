// Random bf16 rows, and their values.
#pragma once
#include <vector>

#include "frugal/base/philox.h"
#include "frugal/core/kernels/kernels.h"

namespace frugal::kernels {

struct Rows {
  Rows(std::size_t rows, std::size_t columns, std::size_t stride, std::uint32_t stream)
      : stride(stride), bits((rows - 1) * stride + columns), exact(bits.size()) {
    PhiloxSequence random(9, Stream::initial, stream);
    for (float& value : exact) value = static_cast<float>(4 * random.uniform() - 2);
    to_bf16(exact.data(), bits.data(), bits.size());
    to_float(bits.data(), exact.data(), bits.size());
  }
  double at(std::size_t row, std::size_t column) const { return exact[row * stride + column]; }
  std::size_t stride;
  std::vector<Bf16> bits;
  std::vector<float> exact;
};

}  // namespace frugal::kernels
