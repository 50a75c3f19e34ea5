// Where rewards come from in a simulated run. Every policy of a seed meets the same rewards: that of an item in a round
// is one number, whoever plays it.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frugal/decide/bandit/config.h"

namespace frugal::bandit {

class Environment {
 public:
  virtual ~Environment() = default;
  virtual std::span<const double> means() const = 0;  // [d] true mean rewards, in [0, range]
  virtual std::int64_t rounds() const { return 0; }   // positions until rewards come again; 0: they never do
  // Rewards of `items` (rising) at `position`, 0 at first, and the position after it.
  virtual std::int64_t draw(std::int64_t position, std::span<const std::int32_t> items,
                            std::span<double> rewards) const = 0;
};

// A log of item rewards: rounds of (item, reward), from a CSV of lines round,item,reward.
class RewardLog {
 public:
  // Error(Exit::input) names file and line: not three numbers, an item below 0, twice in a round, a reward that is not
  // finite, no line at all.
  static RewardLog read(const std::string& path);
  std::int32_t items() const { return items_; }
  std::size_t rounds() const { return begin_.size() - 1; }
  double least() const { return least_; }
  double most() const { return most_; }
  std::span<const double> means() const { return means_; }  // [items]; NaN: never seen
  // Null: the item was not seen in this round.
  const double* find(std::size_t round, std::int32_t item) const;

 private:
  struct Cell {
    std::int32_t item;
    double reward;
  };
  std::vector<Cell> cells_;  // by round, then item
  std::vector<std::size_t> begin_{0};
  std::vector<double> means_;
  std::int32_t items_ = 0;
  double least_ = 0, most_ = 0;
};

// The instance of a seed. d: items. log: of "replay", may be null otherwise.
std::unique_ptr<Environment> make_environment(const EnvironmentConfig& config, std::int32_t d, double range,
                                              std::uint64_t seed, std::shared_ptr<const RewardLog> log);

}  // namespace frugal::bandit
