// OLS-UCB-C (arXiv:2402.15171): optimism with a bonus sized by covariances that are estimated on the fly.
#pragma once
#include "frugal/decide/bandit/quadratic.h"

namespace frugal::bandit {

// U_t(a) = sum mu^_i + f_t sqrt(Q_t(a)),
// Q_t(a) = sum_{i,j in a} n_ij Sigma~_ij / (n_i n_j) + sum_{i in a} (Sigma~_ii / n_i + lambda / n_i^2):
// the norm of D_n^-1 a in G_t = N o Sigma~ + diag(Sigma~) D_n + lambda I; no sum over time is needed.
//   theory     f_t = 6 log(1/delta_t) + 6 (log t + (d + 2) log log t) + 3 d (2 log 2 + log(1 + e)), lambda = B^2
//   practical  f_t = sqrt(2 (log t + (m + 2) log log t)), lambda = B^2 / 4
class OlsUcbC : public QuadraticPolicy {
 public:
  OlsUcbC(ActionSet actions, const PolicyOptions& options)
      : QuadraticPolicy(std::move(actions), options, true, "ols-ucb-c") {}
  double radius(std::int64_t t) const override;
  double lambda() const { return options().range * options().range * (options().is_theory ? 1 : 0.25); }
  double upper_covariance(std::int32_t i, std::int32_t j, std::int64_t t) const;  // Sigma~_ij; n_ij > 0

 protected:
  void fill_row(std::int32_t i, std::int64_t t, double* row) const override;
  bool depends_on_time() const override { return true; }
};

}  // namespace frugal::bandit
