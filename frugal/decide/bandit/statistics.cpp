#include "frugal/decide/bandit/statistics.h"

#include <algorithm>
#include <cmath>

namespace frugal::bandit {

Statistics::Statistics(std::int32_t d, bool has_pairs)
    : d_(static_cast<std::size_t>(d)), has_pairs_(has_pairs), n_(d_), centre_(d_), sum_(d_), square_(d_) {
  if (has_pairs_) pairs_.resize(d_ * d_), products_.resize(d_ * d_);
}

void Statistics::add(std::span<const std::int32_t> items, std::span<const double> rewards) {
  for (std::size_t k = 0; k < items.size(); ++k) {
    const std::size_t i = index(items[k]);
    if (n_[i] == 0) centre_[i] = rewards[k];
    const double x = rewards[k] - centre_[i];
    n_[i] += 1;
    sum_[i] += x;
    square_[i] += x * x;
    if (!has_pairs_) continue;
    for (std::size_t l = 0; l < k; ++l) {
      const std::size_t j = index(items[l]);
      pairs_[j * d_ + i] = pairs_[i * d_ + j] += 1;
      products_[j * d_ + i] = products_[i * d_ + j] += x * (rewards[l] - centre_[j]);
    }
  }
}

void Statistics::state(State& state, const std::string& prefix) {
  state.list(prefix + "plays", n_);
  state.list(prefix + "centre", centre_);
  state.list(prefix + "sum", sum_);
  state.list(prefix + "square", square_);
  if (!has_pairs_) return;
  state.list(prefix + "pairs", pairs_);
  state.list(prefix + "products", products_);
}

bool Statistics::is_sound(std::int64_t rounds, double range) const {
  // Sums of n numbers of at most `most` each; rounding moves them by less than the room that is left.
  const auto within = [](double sum, double n, double most) { return std::abs(sum) <= n * most * (1 + 1e-6); };
  const auto is_count = [](double n, double most) { return n >= 0 && n <= most && n == std::floor(n); };
  for (std::size_t i = 0; i < d_; ++i) {
    if (!is_count(n_[i], static_cast<double>(rounds)) || !(centre_[i] >= 0 && centre_[i] <= range)) return false;
    if (!within(sum_[i], n_[i], range) || !within(square_[i], n_[i], range * range) || square_[i] < 0) return false;
    for (std::size_t j = 0; has_pairs_ && j < d_; ++j) {
      const std::size_t at = i * d_ + j;
      if (!is_count(pairs_[at], std::min(n_[i], n_[j])) || pairs_[at] != pairs_[j * d_ + i]) return false;
      if (!within(products_[at], pairs_[at], range * range) || products_[at] != products_[j * d_ + i]) return false;
    }
  }
  return true;
}

}  // namespace frugal::bandit
