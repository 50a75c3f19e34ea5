// COS-V and CTS-Beta: a value drawn for every item, and a linear oracle. A round costs O(d) and the oracle.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "frugal/decide/bandit/covariance_bounds.h"
#include "frugal/decide/bandit/policy.h"
#include "frugal/decide/bandit/random.h"

namespace frugal::bandit {
namespace {

class SamplingPolicy : public Policy {
 public:
  SamplingPolicy(ActionSet actions, const PolicyOptions& options)
      : Policy(std::move(actions), options, false), theta_(static_cast<std::size_t>(this->actions().items())) {}

 protected:
  void choose(Items& action) override {
    draw(philox_key(options().seed, static_cast<std::uint64_t>(round())));
    actions().best(theta_, action);
  }
  virtual void draw(std::uint64_t key) = 0;  // fills theta_
  std::vector<double> theta_;                // [d]
};

// theta_i = mu^_i + rho_t sqrt(sigma~_i^2 / n_i + c B^2 / n_i^2) g_i, g_i standard normal (later versions of
// arXiv:2402.15171).
//   theory     rho_t = sqrt(2 log t), c = 1, sigma~_i^2 = Sigma~_ii
//   practical  rho_t = 0.5 sqrt(2 log t), c = 0.05, sigma~_i^2 = Sigma^_ii + 0.05 B^2 sqrt(log t / n_i)
class CosV : public SamplingPolicy {
 public:
  using SamplingPolicy::SamplingPolicy;

 protected:
  void draw(std::uint64_t key) override {
    const Statistics& s = statistics();
    const bool is_theory = options().is_theory;
    const double log_t = log_round(round()), square = options().range * options().range;
    const double rho = (is_theory ? 1 : 0.5) * std::sqrt(2 * log_t), h = width(round(), s.items(), true);
    std::array<double, 2> g{};
    for (std::int32_t i = 0; i < s.items(); ++i) {
      if (i % 2 == 0) g = normals(key, static_cast<std::uint64_t>(i / 2), named_stream("bandit.cos-v"));
      const double n = s.plays(i);
      const double variance = is_theory ? covariance_bound(s, i, i, options().range, h)
                                        : s.variance(i) + 0.05 * square * std::sqrt(log_t / n);
      const double sd = std::sqrt(variance / n + (is_theory ? 1 : 0.05) * square / (n * n));
      theta_[static_cast<std::size_t>(i)] = s.mean(i) + rho * sd * g[static_cast<std::size_t>(i % 2)];
    }
  }
};

// Thompson sampling (Wang and Chen, ICML 2018): theta_i from Beta(1 + a_i, 1 + b_i), where a reward y adds 1 to a_i
// with probability y / B and to b_i otherwise.
class CtsBeta : public SamplingPolicy {
 public:
  CtsBeta(ActionSet actions, const PolicyOptions& options)
      : SamplingPolicy(std::move(actions), options), a_(theta_.size(), 1), b_(theta_.size(), 1) {}

 protected:
  // A Gamma variate of shape >= 1 (Marsaglia and Tsang, 2000).
  static double gamma(double shape, PhiloxSequence& random) {
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double r = std::sqrt(-2 * std::log(unit(random.next(), 0)));
      const double x = r * std::cos(2 * std::numbers::pi * unit(random.next(), 0));
      const double root = 1 + c * x;
      const double u = unit(random.next(), 0);
      if (root <= 0) continue;
      const double v = root * root * root;
      if (u < 1 - 0.0331 * x * x * x * x || std::log(u) < x * x / 2 + d * (1 - v + std::log(v))) return d * v;
    }
  }
  void draw(std::uint64_t key) override {
    for (std::size_t i = 0; i < theta_.size(); ++i) {
      PhiloxSequence random(key, named_stream("bandit.cts-beta"), static_cast<std::uint32_t>(i));
      const double x = gamma(a_[i], random), y = gamma(b_[i], random);
      theta_[i] = options().range * x / (x + y);
    }
  }
  void learn(std::span<const std::int32_t> items, std::span<const double> rewards) override {
    const std::uint64_t key = philox_key(options().seed, static_cast<std::uint64_t>(round()));
    for (std::size_t k = 0; k < items.size(); ++k) {
      const auto i = static_cast<std::size_t>(items[k]);
      const bool is_success = uniform(key, i, named_stream("bandit.cts-beta.coin")) < rewards[k] / options().range;
      (is_success ? a_ : b_)[i] += 1;
    }
  }
  void own_state(State& state, const std::string& prefix) override {
    state.list(prefix + "successes", a_);
    state.list(prefix + "failures", b_);
  }
  bool is_sound() const override {
    const auto is_count = [&](double n) { return n >= 1 && n <= static_cast<double>(round()); };
    return Policy::is_sound() && std::all_of(a_.begin(), a_.end(), is_count) &&
           std::all_of(b_.begin(), b_.end(), is_count);
  }

 private:
  std::vector<double> a_, b_;  // [d]
};

template <class P>
std::unique_ptr<Policy> make(ActionSet actions, const PolicyOptions& options) {
  return std::make_unique<P>(std::move(actions), options);
}

}  // namespace

void add_sampling(PolicyTable& table) {
  table.add({.name = "cos-v",
             .summary = "sampling by estimated variances",
             .source = "arXiv:2402.15171, later versions",
             .make = make<CosV>});
  table.add({.name = "cts-beta",
             .summary = "Thompson sampling of Beta posteriors",
             .source = "Wang and Chen, ICML 2018",
             .make = make<CtsBeta>});
}

}  // namespace frugal::bandit
