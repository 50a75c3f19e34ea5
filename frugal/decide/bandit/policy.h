// What chooses: one interface for every policy, and the table of them.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/table.h"
#include "frugal/decide/bandit/action_set.h"
#include "frugal/decide/bandit/statistics.h"

namespace frugal::bandit {

struct PolicyOptions {
  double range = 1;              // B: the rewards of an item lie in [0, B]
  bool is_theory = false;        // the constants of the proofs, or practical ones
  std::uint64_t seed = 1;        // of policies that draw
  double proxy_correlation = 1;  // of ols-ucb: Gamma_ij = this times B^2 / 4 for i != j
  bool is_incremental = true;    // false: every action is scored anew each round, for comparison
};

// A player of one run. Its choice of a round is a pure function of options and statistics: a player that is restored
// makes the same choices as one that went on. Not for several threads at once.
class Policy {
 public:
  Policy(ActionSet actions, PolicyOptions options, bool has_pairs);
  virtual ~Policy() = default;

  // The action of this round, its items rising; the same until update(). Valid until then.
  std::span<const std::int32_t> select();
  // What came of it: a reward for each item of select(), in its order. Error(Exit::input), with nothing changed: other
  // items, another count, not finite, outside [0, B].
  void update(std::span<const std::int32_t> items, std::span<const double> rewards);

  std::int64_t round() const { return t_ + 1; }  // the one that select() is for, from 1
  const Statistics& statistics() const { return statistics_; }
  const ActionSet& actions() const { return actions_; }
  const PolicyOptions& options() const { return options_; }
  // Names its state; what is restored is used from the next select() on.
  void state(State& state, const std::string& prefix);
  // Whether play can have led here. A state from a file that somebody may have written by hand is asked before it is
  // used.
  virtual bool is_sound() const;

 protected:
  // Fills `action` in a round of initial exploration; false when that is over. By itself: until every item was seen.
  virtual bool explore(Items& action);
  virtual void choose(Items& action) = 0;
  virtual void learn(std::span<const std::int32_t>, std::span<const double>) {}  // statistics() holds them already
  virtual void own_state(State&, const std::string& /*prefix*/) {}
  virtual void forget() {}  // what was computed from state that is about to change

 private:
  ActionSet actions_;
  PolicyOptions options_;
  Statistics statistics_;
  std::int64_t t_ = 0;  // rounds told
  Items chosen_;        // empty: not chosen yet
};

// log t and log log t as the indices take them: at least 1, so that both are defined and positive from round 1 on.
double log_round(std::int64_t t);
double log_log_round(std::int64_t t);

struct PolicyInfo {
  std::string_view name, summary, source;
  std::function<std::unique_ptr<Policy>(ActionSet, const PolicyOptions&)> make;
  bool needs_every_action = false;  // enumerates them; otherwise a linear oracle is enough
  bool has_pairs = false;           // keeps numbers of pairs of items, 8 d^2 bytes each
};

using PolicyTable = Table<PolicyInfo>;
const PolicyTable& policies();

// One file of policies each; policies() calls them.
void add_cucb(PolicyTable& table);
void add_ols(PolicyTable& table);       // ols-ucb-c, ols-ucb
void add_escb(PolicyTable& table);      // escb-2, escb-c
void add_sampling(PolicyTable& table);  // cos-v, cts-beta
void add_action_ucb(PolicyTable& table);

// "a,b" or "all", in the order given ("all": by name with ols-ucb-c first). Error(Exit::usage): unknown, named twice,
// none; a policy that needs every action of a set that has too many ("all" leaves these out).
std::vector<const PolicyInfo*> chosen_policies(const std::vector<std::string>& names, const ActionSet& actions);

}  // namespace frugal::bandit
