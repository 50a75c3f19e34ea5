// Random tensors that are functions of their coordinates: the same bits whenever they are drawn, in any order.
#pragma once
#include <cstdint>
#include <vector>

#include "frugal/base/philox.h"

namespace at {
class Tensor;
}

namespace frugal {

// Where numbers lie: in a stream, one tensor (id) at one step of a run. Element i is the i-th number there.
struct Draw {
  std::uint64_t seed = 0;
  Stream stream = Stream::initial;
  std::uint32_t id = 0;
  std::uint64_t step = 0;
};

// All float, on the CPU.
at::Tensor random_uniform(const std::vector<std::int64_t>& shape, const Draw& draw);  // (0, 1)
at::Tensor random_normal(const std::vector<std::int64_t>& shape, const Draw& draw);   // mean 0, variance 1
// Normal, with what is beyond +-limit drawn anew; the variance is then below 1.
at::Tensor random_truncated_normal(const std::vector<std::int64_t>& shape, double limit, const Draw& draw);
// 1 / keep with probability keep, in (0, 1], to within 2^-17; else 0. For dropout.
at::Tensor random_mask(const std::vector<std::int64_t>& shape, double keep, const Draw& draw);
// 0 .. size - 1 in a random order, as int64; size < 2^32.
std::vector<std::int64_t> random_permutation(std::int64_t size, const Draw& draw);

}  // namespace frugal
