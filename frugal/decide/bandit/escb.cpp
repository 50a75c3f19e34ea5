// ESCB-2 (Combes, Talebi, Proutiere and Lelarge, NeurIPS 2015) and ESCB-C (Perrault, Valko and Perchet, COLT 2020).
#include <cmath>

#include "frugal/decide/bandit/covariance_bounds.h"
#include "frugal/decide/bandit/quadratic.h"

namespace frugal::bandit {
namespace {

// sum mu^_i + sqrt((log t + 4 m log log t) / 2 * sum B^2 / n_i): for independent items.
class Escb2 : public QuadraticPolicy {
 public:
  Escb2(ActionSet actions, const PolicyOptions& options)
      : QuadraticPolicy(std::move(actions), options, false, "escb-2") {}
  double radius(std::int64_t t) const override {
    return std::sqrt((log_round(t) + 4 * actions().largest() * log_log_round(t)) / 2);
  }

 protected:
  void fill_row(std::int32_t i, std::int64_t, double* row) const override {
    for (std::int32_t j = 0; j < statistics().items(); ++j) row[j] = 0;
    const double n = statistics().plays(i);
    if (n > 0) row[i] = options().range * options().range / n;
  }
};

// The confidence set is an ellipsoid along the axes that holds the one of the covariances: item i of action a counts
// with sigma_i^2(a) = sum_{j in a} max(Sigma~_ij, 0).
//   Q_t(a) = sum_{i in a} (sigma_i^2(a) / n_i + lambda / n_i^2), f_t = sqrt(2 (log t + (m + 2) log log t))
// As a form of pairs: W_ij = max(Sigma~_ij, 0) (1 / n_i + 1 / n_j) / 2. Widths and lambda are those of OLS-UCB-C.
class EscbC : public QuadraticPolicy {
 public:
  EscbC(ActionSet actions, const PolicyOptions& options)
      : QuadraticPolicy(std::move(actions), options, true, "escb-c") {}
  double radius(std::int64_t t) const override { return root_radius(t, actions().largest()); }

 protected:
  bool depends_on_time() const override { return true; }
  void fill_row(std::int32_t i, std::int64_t t, double* row) const override {
    const Statistics& s = statistics();
    const double range = options().range, lambda = range * range * (options().is_theory ? 1 : 0.25), n_i = s.plays(i);
    const double h = width(t, s.items(), options().is_theory);
    for (std::int32_t j = 0; j < s.items(); ++j) {
      row[j] = 0;
      if (s.plays(i, j) == 0) continue;
      const double bound = covariance_bound(s, i, j, range, h);
      if (bound > 0) row[j] = bound * (1 / n_i + 1 / s.plays(j)) / 2;
      if (j == i) row[j] += lambda / (n_i * n_i);
    }
  }
};

template <class P>
std::unique_ptr<Policy> make(ActionSet actions, const PolicyOptions& options) {
  return std::make_unique<P>(std::move(actions), options);
}

}  // namespace

void add_escb(PolicyTable& table) {
  table.add({.name = "escb-2",
             .summary = "optimism over whole actions of independent items",
             .source = "Combes et al., NeurIPS 2015",
             .make = make<Escb2>,
             .needs_every_action = true});
  table.add({.name = "escb-c",
             .summary = "optimism by estimated covariances, along the axes",
             .source = "Perrault, Valko and Perchet, COLT 2020",
             .make = make<EscbC>,
             .needs_every_action = true,
             .has_pairs = true});
}

}  // namespace frugal::bandit
