#include "frugal/decide/bandit/ols.h"

#include <cmath>
#include <numbers>

#include "frugal/decide/bandit/covariance_bounds.h"

namespace frugal::bandit {

double OlsUcbC::radius(std::int64_t t) const {
  const std::int32_t d = actions().items();
  if (!options().is_theory) return root_radius(t, actions().largest());
  return 6 * log_inverse_delta(t) + 6 * (log_round(t) + (d + 2) * log_log_round(t)) +
         3 * d * (2 * std::numbers::ln2 + std::log(1 + std::numbers::e));
}

double OlsUcbC::upper_covariance(std::int32_t i, std::int32_t j, std::int64_t t) const {
  return covariance_bound(statistics(), i, j, options().range, width(t, actions().items(), options().is_theory));
}

void OlsUcbC::fill_row(std::int32_t i, std::int64_t t, double* row) const {
  const Statistics& s = statistics();
  const std::int32_t d = s.items();
  const double h = width(t, d, options().is_theory), range = options().range, n_i = s.plays(i);
  for (std::int32_t j = 0; j < d; ++j) {
    const double n_ij = s.plays(i, j);
    if (n_ij == 0)
      row[j] = 0;
    else if (j == i)
      row[j] = 2 * covariance_bound(s, i, i, range, h) / n_i + lambda() / (n_i * n_i);
    else
      row[j] = n_ij * covariance_bound(s, i, j, range, h) / (n_i * s.plays(j));
  }
}

namespace {

// The same design with covariances that the user gives (Degenne and Perchet, "Combinatorial semi-bandit with known
// covariance", 2016): Gamma_ii = B^2 / 4, the most that rewards in [0, B] can have, and a share of it between items.
//   Q_t(a) = sum_{i,j in a} n_ij Gamma_ij / (n_i n_j) + lambda sum_{i in a} Gamma_ii / n_i, lambda = 0.25
class OlsUcb : public QuadraticPolicy {
 public:
  OlsUcb(ActionSet actions, const PolicyOptions& options)
      : QuadraticPolicy(std::move(actions), options, true, "ols-ucb") {}
  double radius(std::int64_t t) const override { return root_radius(t, actions().largest()); }

 protected:
  bool explore(Items& action) override { return Policy::explore(action); }
  void fill_row(std::int32_t i, std::int64_t, double* row) const override {
    const Statistics& s = statistics();
    const double gamma = options().range * options().range / 4, n_i = s.plays(i);
    for (std::int32_t j = 0; j < s.items(); ++j) {
      const double n_ij = s.plays(i, j);
      if (n_ij == 0)
        row[j] = 0;
      else
        row[j] = j == i ? 1.25 * gamma / n_i : n_ij * (options().proxy_correlation * gamma) / (n_i * s.plays(j));
    }
  }
};

template <class P>
std::unique_ptr<Policy> make(ActionSet actions, const PolicyOptions& options) {
  return std::make_unique<P>(std::move(actions), options);
}

}  // namespace

void add_ols(PolicyTable& table) {
  table.add({.name = "ols-ucb-c",
             .summary = "optimism by estimated covariances of the items",
             .source = "arXiv:2402.15171",
             .make = make<OlsUcbC>,
             .needs_every_action = true,
             .has_pairs = true});
  table.add({.name = "ols-ucb",
             .summary = "optimism by covariances that are given (--proxy-correlation)",
             .source = "Degenne and Perchet, NeurIPS 2016",
             .make = make<OlsUcb>,
             .needs_every_action = true,
             .has_pairs = true});
}

}  // namespace frugal::bandit
