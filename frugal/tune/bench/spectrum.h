// How many directions a matrix has: from its singular values.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace frugal::small_scale {

// Singular values of `a` [rows, cols], by Jacobi rotations that make its columns orthogonal (Hestenes). cols <= rows.
inline std::vector<double> singular_values(std::vector<double> a, std::size_t rows, std::size_t cols) {
  for (int sweep = 0; sweep < 30; ++sweep) {
    double most = 0;
    for (std::size_t p = 0; p < cols; ++p) {
      for (std::size_t q = p + 1; q < cols; ++q) {
        double pp = 0, qq = 0, pq = 0;
        for (std::size_t r = 0; r < rows; ++r) {
          const double x = a[r * cols + p], y = a[r * cols + q];
          pp += x * x, qq += y * y, pq += x * y;
        }
        if (std::abs(pq) < 1e-300) continue;
        most = std::max(most, std::abs(pq) / std::sqrt(std::max(pp * qq, 1e-300)));
        const double tau = (qq - pp) / (2 * pq), t = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::sqrt(1 + tau * tau)),
                     c = 1 / std::sqrt(1 + t * t), s = c * t;
        for (std::size_t r = 0; r < rows; ++r) {
          const double x = a[r * cols + p], y = a[r * cols + q];
          a[r * cols + p] = c * x - s * y;
          a[r * cols + q] = s * x + c * y;
        }
      }
    }
    if (most < 1e-9) break;
  }
  std::vector<double> values(cols, 0);
  for (std::size_t p = 0; p < cols; ++p) {
    for (std::size_t r = 0; r < rows; ++r) values[p] += a[r * cols + p] * a[r * cols + p];
    values[p] = std::sqrt(values[p]);
  }
  std::sort(values.rbegin(), values.rend());
  return values;
}

struct Rank {
  double effective = 0;  // exp of the entropy of the singular values' shares (Roy and Vetterli, 2007)
  double stable = 0;     // sum of squares over the largest square
};
inline Rank rank_of(const std::vector<double>& singular) {
  double sum = 0, squares = 0, entropy = 0;
  for (const double s : singular) sum += s, squares += s * s;
  if (sum == 0) return {};
  for (const double s : singular) {
    if (s > 0) entropy -= s / sum * std::log(s / sum);
  }
  return {std::exp(entropy), squares / (singular[0] * singular[0])};
}

}  // namespace frugal::small_scale
