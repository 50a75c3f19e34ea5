// Upper confidence bounds of covariances, coefficient by coefficient (arXiv:2402.15171):
//   Sigma~_ij = Sigma^_ij + (B_i B_j / 4) (5 h / sqrt(n_ij) + h^2 / n_ij + 1 / n_ij^2)
// They may be no covariance matrix: what uses them is monotone in each of them.
#pragma once
#include <cmath>
#include <cstdint>

#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {

// log(1 / delta_t), delta_t = 1 / (t log^2 t)
inline double log_inverse_delta(std::int64_t t) { return log_round(t) + 2 * log_log_round(t); }

// h_t: of the proof sqrt(1 + 2 log(1/delta_t) + 2 log(d (d + 1)) + log(1 + t)); practical 0.1 sqrt(log t).
inline double width(std::int64_t t, std::int32_t d, bool is_theory) {
  if (!is_theory) return 0.1 * std::sqrt(log_round(t));
  const double pairs = static_cast<double>(d) * (d + 1);
  return std::sqrt(1 + 2 * log_inverse_delta(t) + 2 * std::log(pairs) + std::log(1 + static_cast<double>(t)));
}

// Sigma~_ij of items that were played together; n_ij > 0.
inline double covariance_bound(const Statistics& s, std::int32_t i, std::int32_t j, double range, double h) {
  const double n = s.plays(i, j);
  return s.covariance(i, j) + range * range / 4 * (5 * h / std::sqrt(n) + h * h / n + 1 / (n * n));
}

// f of indices whose proof is for Gaussian-like noise, inside the root: sqrt(2 (log t + (m + 2) log log t)).
inline double root_radius(std::int64_t t, std::int32_t m) {
  return std::sqrt(2 * (log_round(t) + (m + 2) * log_log_round(t)));
}

}  // namespace frugal::bandit
