// Which examples make up each step: a pure function of (seed, step), so a run resumes at any step.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

class Batcher {
 public:
  // labels: the class of each example, at least one example. is_balanced: classes take turns, each going through its
  // own shuffled order; otherwise all examples are gone through in a fresh order every epoch. A batch may span two
  // epochs. size >= 1.
  Batcher(std::span<const std::int32_t> labels, std::int64_t size, std::uint64_t seed, bool is_balanced);

  // Indices of step `step` (from 0), `size` of them.
  std::vector<std::uint32_t> batch(std::uint64_t step) const;
  double epoch(std::uint64_t step)
      const;  // share of the examples seen before `step`, in passes (balanced: of the largest class)

 private:
  std::uint32_t pick(std::size_t group, std::uint64_t position) const;
  std::vector<std::vector<std::uint32_t>> groups_;  // one, or one a class that has examples
  std::uint64_t size_, seed_;
  struct Order {  // the last epoch looked at, a cache
    std::uint64_t epoch = ~std::uint64_t{0};
    std::vector<std::uint32_t> indices;
  };
  mutable std::vector<Order> orders_;
};

}  // namespace frugal
