// Options of the actions of `frugal bandit`.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frugal/base/config.h"

namespace frugal::bandit {

// What may be played, and how rewards are bounded.
struct ProblemConfig {
  std::int64_t items = 0, choose = 0;
  std::string actions;
  std::vector<std::string> slots;
  double range = 1;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "items",
       .help = "items there are, numbered from 0; 0: as --actions, --slots or the log have, else 10",
       .group = "problem"},
      c.items);
    v({.name = "choose",
       .help = "items played in a round; 0: 3, or fewer where there are fewer items",
       .group = "problem"},
      c.choose);
    v({.name = "actions",
       .help = "a file with every action that may be played, items of one a line; instead of --choose",
       .group = "problem"},
      c.actions);
    v({.name = "slots",
       .help = "3,4,2: one of 3 items, one of the next 4 and one of the last 2; instead of --choose",
       .group = "problem"},
      c.slots);
    v({.name = "range", .help = "rewards of an item lie in [0, range], > 0", .group = "problem"}, c.range);
  }
};

// Where the rewards of a simulated run come from.
struct EnvironmentConfig {
  std::string env = "gaussian";
  double rho = 0, mean_low = 0.3, mean_high = 0.7, sd_low = 0.02, sd_high = 0.15;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "env",
       .help =
           "gaussian: normal rewards cut off at 0 and the range; bernoulli: 0 or the range; replay:FILE: a CSV with "
           "round,item,reward, whose rounds without all items of an action are passed over; where --horizon is longer "
           "than the log, it comes again in another order",
       .group = "environment"},
      c.env);
    v({.name = "rho",
       .help = "correlation of any two items by a common factor, in [-1, 1]; below 0: of items with even "
               "numbers with those of odd ones",
       .group = "environment"},
      c.rho);
    v({.name = "mean_low", .help = "least mean of an item as a share of the range, in [0, 1]", .group = "environment"},
      c.mean_low);
    v({.name = "mean_high",
       .help = "largest mean of an item as a share of the range, in [0, 1]",
       .group = "environment"},
      c.mean_high);
    v({.name = "sd_low",
       .help = "least standard deviation as a share of the range, gaussian alone, >= 0",
       .group = "environment"},
      c.sd_low);
    v({.name = "sd_high",
       .help = "largest standard deviation as a share of the range, gaussian alone",
       .group = "environment"},
      c.sd_high);
  }
};

// What a policy takes beside the problem.
struct PlayerConfig {
  std::string mode = "practical";
  double proxy_correlation = 1;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "mode",
       .help =
           "constants of the proofs, or ones that pay within a million rounds; without effect where there is one set",
       .group = "method",
       .choices = {"practical", "theory"}},
      c.mode);
    v({.name = "proxy_correlation", .help = "correlation of items that ols-ucb is told, in [0, 1]", .group = "method"},
      c.proxy_correlation);
  }
};

struct BanditRunConfig {
  std::vector<std::string> policy{"ols-ucb-c"};
  ProblemConfig problem;
  EnvironmentConfig environment;
  PlayerConfig player;
  std::int64_t horizon = 20000, seeds = 10;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "policy",
       .help = "policies that play, of those below, the first one's regret is the result: a,b or all",
       .group = "method"},
      c.policy);
    PlayerConfig::fields(c.player, v);
    ProblemConfig::fields(c.problem, v);
    EnvironmentConfig::fields(c.environment, v);
    v({.name = "horizon", .help = "rounds of every policy and seed, 1 to 1000000000", .group = "environment"},
      c.horizon);
    v({.name = "seeds",
       .help = "instances, each with means and rewards of its own, from --seed on, 1 to 10000",
       .group = "environment"},
      c.seeds);
  }
};

struct BanditNewConfig {
  std::string policy = "ols-ucb-c", state;
  ProblemConfig problem;
  PlayerConfig player;
  std::int64_t seed = 1;
  bool json = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "policy",
       .help = "what chooses, one of the policies below; frugal bandit run --policy all compares them",
       .group = "method"},
      c.policy);
    PlayerConfig::fields(c.player, v);
    ProblemConfig::fields(c.problem, v);
    v({.name = "seed", .help = "of policies that draw; any value >= 0", .group = "method"}, c.seed);
    v({.name = "state", .help = "the file to begin, must not be there yet", .group = "output"}, c.state);
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
  }
};

struct BanditSuggestConfig {
  std::string state;
  bool json = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "state", .help = "the file that `frugal bandit new` began", .group = "data"}, c.state);
    v({.name = "json", .help = "items, round and a table of what is known of each item, as JSON", .group = "output"},
      c.json);
  }
};

struct BanditTellConfig {
  std::string state;
  std::vector<std::string> rewards, items;
  bool json = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "state", .help = "the file that `frugal bandit new` began", .group = "data"}, c.state);
    v({.name = "rewards", .help = "of the items that were suggested, in their order: 0.1,0.7,0.3", .group = "data"},
      c.rewards);
    v({.name = "items",
       .help = "the items they are of, to be sure; left out: those that `suggest` named since the last `tell`",
       .group = "data"},
      c.items);
    v({.name = "json", .help = "results and errors as JSON on stdout", .group = "output"}, c.json);
  }
};

inline void validate(const ProblemConfig& c) {
  require_setting(c.items >= 0 && c.items <= 1'000'000, "--items", c.items, "0 to 1000000", "--items 10 is usual");
  require_setting(c.choose >= 0 && c.choose <= 1'000'000, "--choose", c.choose, "0 to 1000000", "--choose 3 is usual");
  require_setting(c.range > 0 && c.range <= 1e100, "--range", c.range, "a number in (0, 1e100]", "--range 1 is usual");
  const int ways = (c.choose > 0) + !c.actions.empty() + !c.slots.empty();
  require_setting(ways <= 1, "what may be played", ways, "one of --choose, --actions and --slots",
                  "leave the others out");
}

inline void validate(const EnvironmentConfig& c) {
  const bool is_known =
      c.env == "gaussian" || c.env == "bernoulli" || (c.env.starts_with("replay:") && c.env.size() > 7);
  require_setting(is_known, "--env", c.env, "gaussian, bernoulli or replay:FILE", "--env gaussian needs nothing else");
  require_setting(c.rho >= -1 && c.rho <= 1, "--rho", c.rho, "a number in [-1, 1]", "--rho 0 is of independent items");
  require_setting(c.mean_low >= 0 && c.mean_low <= 1, "--mean-low", c.mean_low, "a number in [0, 1]",
                  "--mean-low 0.3 is usual");
  require_setting(c.mean_high >= c.mean_low && c.mean_high <= 1, "--mean-high", c.mean_high,
                  "a number from --mean-low to 1", "--mean-high 0.7 is usual");
  require_setting(c.sd_low >= 0 && c.sd_low <= 10, "--sd-low", c.sd_low, "a number in [0, 10]",
                  "--sd-low 0.02 is usual");
  require_setting(c.sd_high >= c.sd_low && c.sd_high <= 10, "--sd-high", c.sd_high, "a number from --sd-low to 10",
                  "--sd-high 0.15 is usual");
}

inline void validate(const PlayerConfig& c) {
  require_setting(c.proxy_correlation >= 0 && c.proxy_correlation <= 1, "--proxy-correlation", c.proxy_correlation,
                  "a number in [0, 1]", "--proxy-correlation 1 is safe for any rewards");
}

inline void validate(const BanditRunConfig& c) {
  validate(c.problem);
  validate(c.environment);
  validate(c.player);
  require_setting(c.horizon >= 1 && c.horizon <= 1'000'000'000, "--horizon", c.horizon, "1 to 1000000000",
                  "--horizon 20000 takes seconds");
  require_setting(c.seeds >= 1 && c.seeds <= 10'000, "--seeds", c.seeds, "1 to 10000", "--seeds 10 shows the spread");
}

inline void validate(const BanditNewConfig& c) {
  validate(c.problem);
  validate(c.player);
  require_setting(c.seed >= 0, "--seed", c.seed, "at least 0", "--seed 1 is usual");
  require_setting(!c.state.empty(), "--state", c.state, "the name of a file", "--state bandit.state");
}

inline void validate(const BanditSuggestConfig& c) {
  require_setting(!c.state.empty(), "--state", c.state, "the name of a file", "--state bandit.state");
}

inline void validate(const BanditTellConfig& c) {
  require_setting(!c.state.empty(), "--state", c.state, "the name of a file", "--state bandit.state");
  require_setting(!c.rewards.empty(), "--rewards", c.rewards, "a number for each item that was suggested",
                  "--rewards 0.1,0.7,0.3");
}

}  // namespace frugal::bandit
