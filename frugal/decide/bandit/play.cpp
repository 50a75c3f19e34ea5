#include "frugal/decide/bandit/play.h"

#include <cmath>
#include <filesystem>
#include <iostream>

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
  if (std::filesystem::exists(config.state))
    throw Error(Exit::input, config.state + " is there already, expected a new name",
                "choose another name, or remove it");
  SavedPlayer player = new_player(config);
  save_player(config.state, player);
  if (config.json) {
    std::cout << Json{{"state", config.state},
                      {"policy", config.policy},
                      {"items", player.policy->actions().items()},
                      {"actions", player.policy->actions().count()}}
                     .dump()
              << '\n';
  } else {
    std::cout << config.state << ": " << config.policy << ", " << player.policy->actions().describe()
              << "\nnext: frugal bandit suggest --state " << config.state << '\n';
  }
  return 0;
}

int suggest(const BanditSuggestConfig& config) {
  const SavedPlayer player = load_player(config.state);
  const auto items = player.policy->select();
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
  if (!config.items.empty()) {
    items.clear();
    for (const auto i : parse_integers(config.items, "--items"))
      items.push_back(i >= 0 && i < policy.actions().items() ? static_cast<std::int32_t>(i) : -1);
  }
  const std::int64_t round = policy.round();
  policy.update(items, rewards);
  save_player(config.state, player);
  if (config.json)
    std::cout << Json{{"round", round}, {"items", items}, {"rewards", rewards}}.dump() << '\n';
  else
    std::cout << "round " << round << ": told of items " << joined(items) << '\n';
  return 0;
}

}  // namespace frugal::bandit
