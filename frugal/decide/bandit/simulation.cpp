#include "frugal/decide/bandit/simulation.h"

#include <time.h>

#include <algorithm>
#include <cmath>

#include "frugal/base/parallel.h"

namespace frugal::bandit {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double sum_of(std::span<const double> values, std::span<const std::int32_t> items) {
  double sum = 0;
  for (const auto i : items) sum += values[static_cast<std::size_t>(i)];
  return sum;
}

}  // namespace

Simulation::Simulation(const BanditRunConfig& config, std::uint64_t first_seed)
    : actions_([&] {
        const auto log = read_log(config.environment, config.problem.range);
        return make_actions(config.problem, log.get());
      }()),
      chosen_(chosen_policies(config.policy, actions_)) {
  const auto log = read_log(config.environment, config.problem.range);
  if (log != nullptr) {
    for (std::int32_t i = 0; i < actions_.items(); ++i) {
      const bool is_seen = i < log->items() && std::isfinite(log->means()[static_cast<std::size_t>(i)]);
      if (!is_seen || log->items() > actions_.items())
        throw Error(Exit::input,
                    is_seen ? "the log has items up to " + std::to_string(log->items() - 1) + ", expected up to " +
                                  std::to_string(actions_.items() - 1)
                            : "item " + std::to_string(i) + " has 0 rewards in the log, expected at least 1",
                    "--items is the number of the log's items, which are numbered from 0");
    }
  }
  Items best;
  for (std::int64_t k = 0; k < config.seeds; ++k) {
    const std::uint64_t seed = first_seed + static_cast<std::uint64_t>(k);
    environments_.push_back(make_environment(config.environment, actions_.items(), config.problem.range, seed, log));
    actions_.best(environments_.back()->means(), best);
    best_.push_back(sum_of(environments_.back()->means(), best));
    for (const PolicyInfo* info : chosen_)
      players_.push_back({.policy = info->make(actions_, make_options(config.problem, config.player, seed))});
  }
}

void Simulation::play(std::size_t seed, std::int64_t rounds) {
  const Environment& environment = *environments_[seed];
  std::vector<double> rewards(static_cast<std::size_t>(actions_.largest()));
  for (std::size_t p = 0; p < policies(); ++p) {
    Player& player = players_[seed * policies() + p];
    const double start = thread_seconds();
    for (std::int64_t t = 0; t < rounds; ++t) {
      const auto items = player.policy->select();
      const auto seen = std::span(rewards).first(items.size());
      player.position = environment.draw(player.position, items, seen);
      player.regret += best_[seed] - sum_of(environment.means(), items);
      player.policy->update(items, seen);
    }
    player.seconds += thread_seconds() - start;
    player.timed_rounds += rounds;
  }
}

void Simulation::advance(std::int64_t rounds, int threads) {
  in_parallel(static_cast<std::int64_t>(seeds()), threads,
              [&](std::int64_t seed) { play(static_cast<std::size_t>(seed), rounds); });
  rounds_ += rounds;
  noted_rounds_.push_back(rounds_);
  for (const Player& player : players_) noted_regrets_.push_back(player.regret);
}

void Simulation::state(State& state) {
  state.value("rounds", rounds_);
  state.list("noted_rounds", noted_rounds_);
  state.list("noted_regrets", noted_regrets_);
  for (std::size_t k = 0; k < players_.size(); ++k) {
    const std::string prefix = std::string(name(k % policies())) + "/" + std::to_string(k / policies()) + "/";
    state.value(prefix + "regret", players_[k].regret);
    state.value(prefix + "position", players_[k].position);
    players_[k].policy->state(state, prefix);
  }
}

std::vector<double> Simulation::regrets(std::size_t policy, std::size_t note) const {
  std::vector<double> all(seeds());
  if (note >= notes()) return all;
  for (std::size_t seed = 0; seed < seeds(); ++seed)
    all[seed] = noted_regrets_[(note * seeds() + seed) * policies() + policy];
  return all;
}

std::int64_t Simulation::passes(std::size_t policy) const {
  std::int64_t most = 0;
  for (std::size_t seed = 0; seed < seeds(); ++seed) {
    const std::int64_t rounds = environments_[seed]->rounds();
    if (rounds > 0) most = std::max(most, (players_[seed * policies() + policy].position + rounds - 1) / rounds);
  }
  return most;
}

double Simulation::microseconds_per_round(std::size_t policy) const {
  double seconds = 0;
  std::int64_t rounds = 0;
  for (std::size_t seed = 0; seed < seeds(); ++seed) {
    const Player& player = players_[seed * policies() + policy];
    seconds += player.seconds;
    rounds += player.timed_rounds;
  }
  return rounds == 0 ? 0 : 1e6 * seconds / static_cast<double>(rounds);
}

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  for (const double v : values) spread.mean += v / static_cast<double>(values.size());
  for (const double v : values) spread.sd += (v - spread.mean) * (v - spread.mean);
  spread.sd = values.size() < 2 ? 0 : std::sqrt(spread.sd / static_cast<double>(values.size() - 1));
  return spread;
}

}  // namespace frugal::bandit
