#include "frugal/decide/bandit/play.h"

#include <cmath>
#include <iostream>

#include "frugal/base/new_file.h"
#include "frugal/decide/bandit/player_file.h"
#include "frugal/decide/bandit/problem.h"

namespace frugal::bandit {
namespace {

std::string joined(std::span<const std::int32_t> items) {
  std::string text;
  for (const auto i : items) text += (text.empty() ? "" : ",") + std::to_string(i);
  return text;
}

Json table_of(const Policy& policy) {
  const Statistics& s = policy.statistics();
  Json rows = Json::array();
  for (std::int32_t i = 0; i < s.items(); ++i) {
    rows.push_back({{"item", i},
                    {"plays", static_cast<std::int64_t>(s.plays(i))},
                    {"mean", s.plays(i) > 0 ? Json(s.mean(i)) : Json()},
                    {"sd", s.plays(i) > 0 ? Json(std::sqrt(s.variance(i))) : Json()}});
  }
  return rows;
}

}  // namespace

int begin_player(const BanditNewConfig& config) {
  require_new_file("--state", config.state);
  SavedPlayer player = new_player(config);
  save_player(config.state, player);
  if (config.json) {
    std::cout << Json{{"state", config.state},
                      {"policy", config.policy},
                      {"items", player.policy->actions().items()},
                      {"actions", player.policy->actions().count_json()}}
                     .dump()
              << '\n';
  } else {
    std::cout << config.state << ": " << config.policy << ", " << player.policy->actions().describe()
              << "\nnext: frugal bandit suggest --state " << config.state << '\n';
  }
  return 0;
}

int suggest(const BanditSuggestConfig& config) {
  SavedPlayer player = load_player(config.state);
  const auto selected = player.policy->select();
  const Items items(selected.begin(), selected.end());
  if (player.pending != items) {  // now it is asked for: what `tell` takes rewards for
    player.pending = items;
    save_player(config.state, player);
  }
  if (config.json)
    std::cout << Json{{"items", items}, {"round", player.policy->round()}, {"table", table_of(*player.policy)}}.dump()
              << '\n';
  else
    std::cout << joined(items) << '\n';
  return 0;
}

int tell(const BanditTellConfig& config) {
  SavedPlayer player = load_player(config.state);
  Policy& policy = *player.policy;
  const std::vector<double> rewards = parse_numbers(config.rewards, "--rewards");
  const auto suggested = policy.select();
  Items items(suggested.begin(), suggested.end());
  // Without a word on whose rewards they are, a script that repeats itself would credit them to other items.
  if (config.items.empty() && player.pending != items)
    throw Error(Exit::input,
                config.state + " waits for no rewards: " +
                    (policy.round() > 1 ? "those of round " + std::to_string(policy.round() - 1) + " have been told"
                                        : "nothing was suggested"),
                "frugal bandit suggest --state " + config.state +
                    " says what to play next; --items names whose rewards they are");
  if (!config.items.empty()) {
    items.clear();
    for (const auto i : parse_integers(config.items, "--items"))
      items.push_back(i >= 0 && i < policy.actions().items() ? static_cast<std::int32_t>(i) : -1);
  }
  const std::int64_t round = policy.round();
  policy.update(items, rewards);
  player.pending.clear();
  save_player(config.state, player);
  if (config.json)
    std::cout << Json{{"round", round}, {"items", items}, {"rewards", rewards}}.dump() << '\n';
  else
    std::cout << "round " << round << ": told of items " << joined(items) << '\n';
  return 0;
}

}  // namespace frugal::bandit
