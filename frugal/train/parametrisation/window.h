// Some entries of a tensor: a window over them as they lie, or over a permutation of them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>

#include "frugal/base/permutation.h"

namespace frugal {

struct Window {
  std::int64_t size = 0;              // entries of the tensor
  std::int64_t first = 0, count = 0;  // number i of the window is entry (first + i) mod size, 0 <= i < count
  std::optional<Permutation> order;   // of the entries; none: as they lie
  // The gradient's buffer leaves out entries [gap_from, gap_from + gap) and holds no more than `gradients` numbers.
  std::int64_t gap_from = 0, gap = 0, gradients = 0;

  std::int64_t gradient_of(std::int64_t entry) const { return entry < gap_from ? entry : entry - gap; }
  std::int64_t entry(std::int64_t i) const {
    const std::int64_t at = first + i - (first + i >= size ? size : 0);
    return order ? static_cast<std::int64_t>((*order)(static_cast<std::uint64_t>(at))) : at;
  }
  // Calls run(i, entry, n) for numbers [begin, end) in runs of n entries that lie together, in order.
  template <class Run>
  void each_run(std::int64_t begin, std::int64_t end, const Run& run) const {
    while (begin < end) {
      const std::int64_t at = entry(begin), n = order ? 1 : std::min(end - begin, size - at);
      run(begin, at, n);
      begin += n;
    }
  }
  // The gradients of numbers [begin, end), one after the other.
  void gather(const float* gradient, std::int64_t begin, std::int64_t end, float* out) const {
    each_run(begin, end, [&](std::int64_t i, std::int64_t at, std::int64_t n) {
      std::copy_n(gradient + gradient_of(at), n, out + (i - begin));
    });
  }
};

}  // namespace frugal
