#include "frugal/decide/bandit/environment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "frugal/base/permutation.h"
#include "frugal/decide/bandit/random.h"

namespace frugal::bandit {
namespace {

// E[min(max(X, 0), 1)] of X normal.
double clipped_mean(double mean, double sd) {
  if (sd == 0) return std::clamp(mean, 0.0, 1.0);
  const auto density = [](double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); };
  const auto below = [](double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; };
  const double low = -mean / sd, high = (1 - mean) / sd;
  return mean * (below(high) - below(low)) - sd * (density(high) - density(low)) + (1 - below(high));
}

// Parameters of an instance: uniform in [low, high], one number an item.
std::vector<double> between(double low, double high, std::int32_t d, std::uint64_t seed, Stream stream) {
  std::vector<double> all(static_cast<std::size_t>(d));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = low + (high - low) * uniform(seed, i, stream);
  return all;
}

constexpr std::uint64_t kCommon = std::uint64_t{1} << 40;  // the number of the common factor, beyond all items

// Y_i = clip(mu_i + sd_i (s_i sqrt(|rho|) z_0 + sqrt(1 - |rho|) z_i), 0, 1) range; s_i = -1 of odd items where rho < 0.
class Gaussian : public Environment {
 public:
  Gaussian(const EnvironmentConfig& c, std::int32_t d, double range, std::uint64_t seed)
      : mu_(between(c.mean_low, c.mean_high, d, seed, named_stream("bandit.mean"))),
        sd_(between(c.sd_low, c.sd_high, d, seed, named_stream("bandit.sd"))),
        range_(range),
        rho_(c.rho),
        seed_(seed) {
    for (std::size_t i = 0; i < mu_.size(); ++i) means_.push_back(range * clipped_mean(mu_[i], sd_[i]));
  }
  std::span<const double> means() const override { return means_; }
  std::int64_t draw(std::int64_t position, std::span<const std::int32_t> items,
                    std::span<double> rewards) const override {
    constexpr Stream kNoise = named_stream("bandit.noise");
    const std::uint64_t key = philox_key(seed_, static_cast<std::uint64_t>(position));
    const double common = rho_ == 0 ? 0 : std::sqrt(std::abs(rho_)) * normal(key, kCommon, kNoise);
    const double own = std::sqrt(1 - std::abs(rho_));
    for (std::size_t k = 0; k < items.size(); ++k) {
      const auto i = static_cast<std::size_t>(items[k]);
      const double z = (rho_ < 0 && i % 2 == 1 ? -common : common) + own * normal(key, i, kNoise);
      rewards[k] = range_ * std::clamp(mu_[i] + sd_[i] * z, 0.0, 1.0);
    }
    return position + 1;
  }

 private:
  std::vector<double> mu_, sd_, means_;
  double range_, rho_;
  std::uint64_t seed_;
};

// Y_i = range where u < p_i, else 0; u is the round's common uniform number with probability sqrt(|rho|), else the
// item's own, so that means are p_i whatever rho is. Where rho < 0 odd items take 1 - u of the common one.
class Bernoulli : public Environment {
 public:
  Bernoulli(const EnvironmentConfig& c, std::int32_t d, double range, std::uint64_t seed)
      : p_(between(c.mean_low, c.mean_high, d, seed, named_stream("bandit.mean"))),
        range_(range),
        rho_(c.rho),
        seed_(seed) {
    for (const double p : p_) means_.push_back(range * p);
  }
  std::span<const double> means() const override { return means_; }
  std::int64_t draw(std::int64_t position, std::span<const std::int32_t> items,
                    std::span<double> rewards) const override {
    constexpr Stream kNoise = named_stream("bandit.noise"), kShare = named_stream("bandit.share");
    const std::uint64_t key = philox_key(seed_, static_cast<std::uint64_t>(position));
    const double common = rho_ == 0 ? 0 : uniform(key, kCommon, kNoise), share = std::sqrt(std::abs(rho_));
    for (std::size_t k = 0; k < items.size(); ++k) {
      const auto i = static_cast<std::size_t>(items[k]);
      const bool is_common = rho_ != 0 && uniform(key, i, kShare) < share;
      const double u = !is_common ? uniform(key, i, kNoise) : rho_ < 0 && i % 2 == 1 ? 1 - common : common;
      rewards[k] = u < p_[i] ? range_ : 0;
    }
    return position + 1;
  }

 private:
  std::vector<double> p_, means_;
  double range_, rho_;
  std::uint64_t seed_;
};

// Rounds of a log in an order of the seed's own, another one each time through; rounds without all of an action's items
// are passed over (rejection sampling: what is left is distributed as if the action had been played).
class Replay : public Environment {
 public:
  Replay(std::shared_ptr<const RewardLog> log, std::uint64_t seed) : log_(std::move(log)), seed_(seed) {}
  std::span<const double> means() const override { return log_->means(); }
  std::int64_t rounds() const override { return static_cast<std::int64_t>(log_->rounds()); }
  std::int64_t draw(std::int64_t position, std::span<const std::int32_t> items,
                    std::span<double> rewards) const override {
    const auto rounds = static_cast<std::int64_t>(log_->rounds());
    for (const std::int64_t end = position + 2 * rounds; position < end; ++position) {
      const Permutation order(log_->rounds(), philox_key(seed_, static_cast<std::uint64_t>(position / rounds),
                                                         static_cast<std::uint32_t>(named_stream("bandit.replay"))));
      const auto round = static_cast<std::size_t>(order(static_cast<std::uint64_t>(position % rounds)));
      std::size_t k = 0;
      for (; k < items.size(); ++k) {
        const double* reward = log_->find(round, items[k]);
        if (reward == nullptr) break;
        rewards[k] = *reward;
      }
      if (k == items.size()) return position + 1;
    }
    std::string named;
    for (const auto i : items) named += (named.empty() ? "" : ",") + std::to_string(i);
    throw Error(
        Exit::input,
        "0 of the log's " + std::to_string(rounds) + " rounds hold items " + named + " together, expected at least 1",
        "--actions names the sets of items that the log holds");
  }

 private:
  std::shared_ptr<const RewardLog> log_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Environment> make_environment(const EnvironmentConfig& config, std::int32_t d, double range,
                                              std::uint64_t seed, std::shared_ptr<const RewardLog> log) {
  if (config.env == "gaussian") return std::make_unique<Gaussian>(config, d, range, seed);
  if (config.env == "bernoulli") return std::make_unique<Bernoulli>(config, d, range, seed);
  return std::make_unique<Replay>(std::move(log), seed);
}

}  // namespace frugal::bandit
