#include "frugal/prune/bonsai/torch/regression.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace frugal::bonsai {
namespace {

constexpr std::size_t kFolds = 5;

// X of rows z, and D.
struct System {
  at::Tensor X, D;  // [pairs, units], [pairs], float64
};

System system_of(const MaskPairs& pairs, const std::vector<std::size_t>& chosen) {
  const auto n = static_cast<std::int64_t>(chosen.size()),
             N = static_cast<std::int64_t>(pairs.z.empty() ? 0 : pairs.z[0].size());
  System s{at::empty({n, N}, at::kDouble), at::empty({n}, at::kDouble)};
  double *x = s.X.mutable_data_ptr<double>(), *d = s.D.mutable_data_ptr<double>();
  for (const std::size_t i : chosen) {
    x = std::copy(pairs.z[i].begin(), pairs.z[i].end(), x);
    *d++ = pairs.first[i] - pairs.second[i];
  }
  return s;
}

std::vector<double> values_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

using Solver = std::function<at::Tensor(const System&, double penalty)>;  // beta

// beta = X^T (X X^T + 2 gamma I)^-1 D: as many unknowns as pairs.
struct Dual {
  explicit Dual(const System& system) : s(system) { std::tie(lambda, Q) = at::linalg_eigh(s.X.mm(s.X.t())); }
  at::Tensor beta(double gamma) const {
    const at::Tensor alpha = Q.mv(Q.t().mv(s.D) / (lambda + 2 * gamma));
    return s.X.t().mv(alpha);
  }
  // r_i / (1 - h_ii) with the hat matrix H = Q lambda / (lambda + 2 gamma) Q^T.
  at::Tensor leave_one_out(double gamma) const {
    const at::Tensor shrink = lambda / (lambda + 2 * gamma);
    const at::Tensor fitted = Q.mv(shrink * Q.t().mv(s.D));
    const at::Tensor h = (Q * Q).mv(shrink);
    return (s.D - fitted) / (1 - h);
  }
  const System& s;
  at::Tensor lambda, Q;
};

// Mean tau over folds of pairs, by what is predicted for both masks of a pair that was left out.
std::vector<double> taus(const MaskPairs& pairs, const std::vector<double>& penalties,
                         const std::function<std::vector<at::Tensor>(const System&)>& solve) {
  std::vector<double> sum(penalties.size());
  const std::size_t n = pairs.z.size(), folds = std::min(kFolds, n);
  for (std::size_t fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> kept, left_out;
    for (std::size_t i = 0; i < n; ++i) (i % folds == fold ? left_out : kept).push_back(i);
    if (kept.empty()) continue;
    double mean = 0;
    for (const std::size_t i : kept)
      mean += (pairs.first[i] + pairs.second[i]) / (2 * static_cast<double>(kept.size()));
    const System train = system_of(pairs, kept), test = system_of(pairs, left_out);
    const std::vector<at::Tensor> betas = solve(train);
    for (std::size_t k = 0; k < penalties.size(); ++k) {
      const std::vector<double> half = values_of(test.X.mv(betas[k]) / 2);
      std::vector<double> predicted, measured;
      for (std::size_t i = 0; i < left_out.size(); ++i) {
        predicted.insert(predicted.end(), {mean + half[i], mean - half[i]});
        measured.insert(measured.end(), {pairs.first[left_out[i]], pairs.second[left_out[i]]});
      }
      sum[k] += kendall_tau(predicted, measured) / static_cast<double>(folds);
    }
  }
  return sum;
}

std::vector<std::size_t> all_of(const MaskPairs& pairs) {
  std::vector<std::size_t> all(pairs.z.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

// trace(Z Z^T) / n of Z = X / 2.
double scale_of(const at::Tensor& X) { return X.pow(2).sum().item<double>() / (4 * static_cast<double>(X.size(0))); }

// The best tau; ties go to the larger penalty, which comes later.
std::size_t best_of(const std::vector<double>& tau) {
  std::size_t best = 0;
  for (std::size_t k = 1; k < tau.size(); ++k) {
    if (tau[k] >= tau[best]) best = k;
  }
  return best;
}

// min 1/2 |D - X beta|^2 + penalty |beta|_1 by accelerated proximal gradients.
at::Tensor fista(const System& s, double penalty) {
  const double L = std::get<0>(at::linalg_eigh(s.X.mm(s.X.t()))).max().item<double>();
  at::Tensor beta = at::zeros_like(s.X[0]), y = beta;
  double t = 1;
  for (int step = 0; step < 200; ++step) {
    const at::Tensor moved = y - s.X.t().mv(s.X.mv(y) - s.D) / L;
    const at::Tensor next = moved.sign() * (moved.abs() - penalty / L).clamp_min(0);
    const double u = (1 + std::sqrt(1 + 4 * t * t)) / 2;
    y = next + (next - beta) * ((t - 1) / u);
    beta = next, t = u;
  }
  return beta;
}

}  // namespace

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b) {
  double agree = 0, tied_a = 0, tied_b = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const double x = a[i] - a[j], y = b[i] - b[j];
      ++all;
      tied_a += x == 0, tied_b += y == 0;
      if (x != 0 && y != 0) agree += (x > 0) == (y > 0) ? 1 : -1;
    }
  }
  const double scale = std::sqrt((all - tied_a) * (all - tied_b));
  return scale > 0 ? agree / scale : 0;
}

Fit ridge(const MaskPairs& pairs, double gamma) {
  const System s = system_of(pairs, all_of(pairs));
  const Dual dual(s);
  return {.beta = values_of(dual.beta(gamma)), .gamma = gamma, .leave_one_out = values_of(dual.leave_one_out(gamma))};
}

Fit ridge(const MaskPairs& pairs) {
  const double scale = scale_of(system_of(pairs, all_of(pairs)).X);
  std::vector<double> gammas;
  for (int k = -4; k <= 4; ++k) gammas.push_back(scale * std::pow(10.0, k));
  const std::vector<double> tau = taus(pairs, gammas, [&](const System& s) {
    const Dual dual(s);
    std::vector<at::Tensor> betas;
    for (const double gamma : gammas) betas.push_back(dual.beta(gamma));
    return betas;
  });
  const std::size_t best = best_of(tau);
  Fit fit = ridge(pairs, gammas[best]);
  fit.tau = tau[best];
  return fit;
}

Fit anchored_ridge(const MaskPairs& pairs, const std::vector<double>& expected) {
  const auto N = static_cast<std::int64_t>(expected.size());
  at::Tensor w = at::empty({N}, at::kDouble);
  std::copy(expected.begin(), expected.end(), w.mutable_data_ptr<double>());
  const double mean = w.mean().item<double>();
  w = w / mean;
  // The units scaled by what is expected of them: delta's own ridge has one penalty for all.
  const auto solve = [&](const System& s, const std::vector<double>& gammas) {
    const System rest{s.X * w, s.D - s.X.mv(w) * mean};
    const Dual dual(rest);
    std::vector<at::Tensor> betas;
    for (const double gamma : gammas) betas.push_back(w * (dual.beta(gamma) + mean));
    return betas;
  };
  std::vector<double> gammas;
  const System all = system_of(pairs, all_of(pairs));
  const double scale = scale_of(all.X * w);
  for (int k = -4; k <= 4; ++k) gammas.push_back(scale * std::pow(10.0, k));
  const std::vector<double> tau = taus(pairs, gammas, [&](const System& s) { return solve(s, gammas); });
  const std::size_t best = best_of(tau);
  return {.beta = values_of(solve(all, {gammas[best]})[0]), .gamma = gammas[best], .tau = tau[best]};
}

Fit lasso(const MaskPairs& pairs) {
  const System all = system_of(pairs, all_of(pairs));
  const double most = all.X.t().mv(all.D).abs().max().item<double>();  // from here on every coefficient is 0
  std::vector<double> penalties;
  for (int k = -8; k <= 0; ++k) penalties.push_back(most * std::pow(10.0, k / 2.0 - 0.25));
  const std::vector<double> tau = taus(pairs, penalties, [&](const System& s) {
    std::vector<at::Tensor> betas;
    for (const double penalty : penalties) betas.push_back(fista(s, penalty));
    return betas;
  });
  const std::size_t best = best_of(tau);
  return {.beta = values_of(fista(all, penalties[best])), .gamma = penalties[best], .tau = tau[best]};
}

}  // namespace frugal::bonsai
