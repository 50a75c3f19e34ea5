// What has been seen of the items: counts, means, and, of items played together, covariances.
//   n_i, n_ij   rounds in which item i, or items i and j, were played
//   mu^_i       mean reward of item i
//   Sigma^_ij   (1/n_ij) sum Y_i Y_j - mu^_i mu^_j, with rewards counted from the first one seen of each item: that
//               shift changes no covariance, and keeps the digits that a large mean would take
// Memory: 32 d bytes, with pairs 16 d^2 more.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frugal/train/loop/state.h"

namespace frugal::bandit {

class Statistics {
 public:
  Statistics(std::int32_t d, bool has_pairs);

  void add(std::span<const std::int32_t> items, std::span<const double> rewards);

  std::int32_t items() const { return static_cast<std::int32_t>(d_); }
  bool has_pairs() const { return has_pairs_; }
  double plays(std::int32_t i) const { return n_[index(i)]; }
  double plays(std::int32_t i, std::int32_t j) const { return i == j ? plays(i) : pairs_[index(i) * d_ + index(j)]; }
  double mean(std::int32_t i) const {  // 0 before the first play
    const std::size_t k = index(i);
    return n_[k] == 0 ? 0 : centre_[k] + sum_[k] / n_[k];
  }
  double variance(std::int32_t i) const {  // of all its rewards, divided by n_i; 0 before the first play
    const std::size_t k = index(i);
    if (n_[k] == 0) return 0;
    const double shifted = sum_[k] / n_[k];
    const double value = square_[k] / n_[k] - shifted * shifted;
    return value > 0 ? value : 0;
  }
  // Of two items that were played together; variance(i) for i = j. Needs has_pairs().
  double covariance(std::int32_t i, std::int32_t j) const {
    if (i == j) return variance(i);
    const std::size_t a = index(i), b = index(j), at = a * d_ + b;
    return pairs_[at] == 0 ? 0 : products_[at] / pairs_[at] - (sum_[a] / n_[a]) * (sum_[b] / n_[b]);
  }

  void state(State& state, const std::string& prefix);
  // Whether `rounds` rounds of rewards in [0, range] can have left this: of a file that somebody else may have written.
  bool is_sound(std::int64_t rounds, double range) const;

 private:
  static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }
  std::size_t d_;
  bool has_pairs_;
  std::vector<double> n_, centre_, sum_, square_;  // [d]; sums of rewards less centre_, and of their squares
  std::vector<double> pairs_, products_;           // [d, d], symmetric; the diagonal is unused
};

}  // namespace frugal::bandit
