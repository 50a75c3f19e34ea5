// From utilities of masked models to the importance of each unit (Bonsai, section 3.2): ridge in closed form, or lasso.
// Private to bonsai/.
#pragma once
#include <cstdint>
#include <vector>

namespace frugal::bonsai {

// Complementary pairs: unit j is on in the first mask of pair i alone where z[i][j] is 1, in the second alone where it
// is -1, in both where it is 0.
struct MaskPairs {
  std::vector<std::vector<std::int8_t>> z;  // [pairs][units]
  std::vector<double> first, second;        // utilities
};

struct Fit {
  std::vector<double> beta;  // importance: what a unit adds to the utility
  double gamma = 0;          // the penalty that was chosen
  double tau = 0;            // Kendall's tau between predicted and measured utilities of pairs left out, five folds
  std::vector<double> leave_one_out;  // of ridge: residual of each pair's difference where it is left out
};

// A mask is z / 2, that of the other -z / 2, and D = U_first - U_second = beta^T z. Ridge over all masks with an
// intercept and the penalty gamma is that of D on z with 2 gamma. gamma: nine values over eight decades, by tau; ties
// go to the larger.
Fit ridge(const MaskPairs& pairs);
Fit ridge(const MaskPairs& pairs, double gamma);
// Importance is expected to be `expected` (all above 0), and what is learnt is by how much it is not:
// beta_u = expected_u (1 + delta_u), delta by ridge. Without anything to be learnt that is `expected`. gamma: of delta.
Fit anchored_ridge(const MaskPairs& pairs, const std::vector<double>& expected);
Fit lasso(const MaskPairs& pairs);  // FISTA (Beck and Teboulle, 2009) on the same data, chosen alike

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b);  // tau-b; 0 where all are tied

}  // namespace frugal::bonsai
