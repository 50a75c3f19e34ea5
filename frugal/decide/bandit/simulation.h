// Policies against simulated instances: every policy plays every seed's instance, one thread a seed.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "frugal/decide/bandit/problem.h"

namespace frugal::bandit {

class Simulation {
 public:
  // Errors as of the options: policies that are unknown or do not suit the actions, files that cannot be read.
  Simulation(const BanditRunConfig& config, std::uint64_t first_seed);

  // Plays `rounds` more rounds of every policy and seed and notes the regrets. threads >= 1; results do not depend on
  // it.
  void advance(std::int64_t rounds, int threads);
  void state(State& state);

  std::int64_t rounds() const { return rounds_; }  // played
  std::size_t policies() const { return chosen_.size(); }
  std::size_t seeds() const { return environments_.size(); }
  std::string_view name(std::size_t policy) const { return chosen_[policy]->name; }
  const Policy& player(std::size_t policy, std::size_t seed) const {
    return *players_[seed * policies() + policy].policy;
  }
  const Environment& environment(std::size_t seed) const { return *environments_[seed]; }

  // Pseudo-regret, sum of <a*, mu> - <a_t, mu>, of each seed after note `note` of advance(), the last by default.
  std::vector<double> regrets(std::size_t policy) const { return regrets(policy, notes() - 1); }
  std::vector<double> regrets(std::size_t policy, std::size_t note) const;
  std::size_t notes() const { return noted_rounds_.size(); }
  std::int64_t noted_round(std::size_t note) const { return noted_rounds_[note]; }
  // How often the log was gone through, the last time in part: the most of any seed; 0: of no log.
  std::int64_t passes(std::size_t policy) const;
  // Processor time of a round with its rewards in this process, mean over seeds; 0 before the first.
  double microseconds_per_round(std::size_t policy) const;

 private:
  struct Player {
    std::unique_ptr<Policy> policy;
    double regret = 0;
    std::int64_t position = 0;  // in the environment
    double seconds = 0;
    std::int64_t timed_rounds = 0;
  };
  void play(std::size_t seed, std::int64_t rounds);
  ActionSet actions_;
  std::vector<const PolicyInfo*> chosen_;
  std::vector<std::unique_ptr<Environment>> environments_;  // [seeds]
  std::vector<double> best_;                                // [seeds] <a*, mu>
  std::vector<Player> players_;                             // [seeds, policies]
  std::int64_t rounds_ = 0;
  std::vector<std::int64_t> noted_rounds_;
  std::vector<double> noted_regrets_;  // [notes, seeds, policies]
};

struct Spread {
  double mean = 0, sd = 0;  // sd: of a sample, 0 for a single value
};
Spread spread_of(const std::vector<double>& values);

}  // namespace frugal::bandit
