#include "frugal/core/random.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "frugal/base/normal.h"

namespace frugal {
namespace {

// write(word) for each element; four a block.
template <class Write>
at::Tensor filled(const std::vector<std::int64_t>& shape, const Draw& draw, const Write& write) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* to = tensor.data_ptr<float>();
  const std::uint64_t key = philox_key(draw.seed, draw.step);
  const std::int64_t count = tensor.numel();
  for (std::int64_t at = 0; at < count; at += 4) {
    const PhiloxBlock block = philox(key, static_cast<std::uint64_t>(at / 4), draw.id, draw.stream);
    for (std::int64_t k = 0; k < std::min<std::int64_t>(4, count - at); ++k)
      to[at + k] = static_cast<float>(write(block[static_cast<std::size_t>(k)]));
  }
  return tensor;
}

}  // namespace

at::Tensor random_uniform(const std::vector<std::int64_t>& shape, const Draw& draw) {
  return filled(shape, draw, open_uniform);
}

at::Tensor random_normal(const std::vector<std::int64_t>& shape, const Draw& draw) {
  return filled(shape, draw, normal_of);
}

at::Tensor random_truncated_normal(const std::vector<std::int64_t>& shape, double limit, const Draw& draw) {
  const double outside = 0.5 * std::erfc(limit / std::sqrt(2.0));  // beyond one end
  return filled(shape, draw,
                [&](std::uint32_t word) { return normal_quantile(outside + (1 - 2 * outside) * open_uniform(word)); });
}

// Sixteen bits an element decide: a block serves eight.
at::Tensor random_mask(const std::vector<std::int64_t>& shape, double keep, const Draw& draw) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* to = tensor.data_ptr<float>();
  const std::uint64_t key = philox_key(draw.seed, draw.step);
  const auto bound = static_cast<std::uint32_t>(std::lround(keep * 65536));
  const auto kept = static_cast<float>(1 / keep);
  const std::int64_t count = tensor.numel();
  for (std::int64_t at = 0; at < count; at += 8) {
    const PhiloxBlock block = philox(key, static_cast<std::uint64_t>(at / 8), draw.id, draw.stream);
    float eight[8];
    for (std::size_t k = 0; k < 8; ++k) eight[k] = (block[k / 2] >> (k % 2 * 16) & 65535) < bound ? kept : 0;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(8, count - at); ++k) to[at + k] = eight[k];
  }
  return tensor;
}

std::vector<std::int64_t> random_permutation(std::int64_t size, const Draw& draw) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  PhiloxSequence random(philox_key(draw.seed, draw.step), draw.stream, draw.id);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  return order;
}

}  // namespace frugal
