// Sizes that stop at the largest number instead of wrapping: a header may claim any shape.
#pragma once
#include <cstdint>
#include <limits>

namespace frugal {

class Saturating {
 public:
  constexpr Saturating() = default;
  // Negative sizes count as 0.
  template <class Integer>
  constexpr Saturating(Integer value)
      : value_(value < Integer{0} ? 0 : static_cast<std::uint64_t>(value)) {}  // NOLINT: a number
  constexpr std::uint64_t count() const { return value_; }
  friend constexpr Saturating operator+(Saturating a, Saturating b) {
    std::uint64_t sum = 0;
    return __builtin_add_overflow(a.value_, b.value_, &sum) ? kMost : sum;
  }
  friend constexpr Saturating operator*(Saturating a, Saturating b) {
    std::uint64_t product = 0;
    return __builtin_mul_overflow(a.value_, b.value_, &product) ? kMost : product;
  }
  constexpr Saturating& operator+=(Saturating other) { return *this = *this + other; }
  friend constexpr auto operator<=>(Saturating, Saturating) = default;

  static constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

 private:
  std::uint64_t value_ = 0;
};

}  // namespace frugal
