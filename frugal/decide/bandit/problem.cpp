#include "frugal/decide/bandit/problem.h"

#include <algorithm>
#include <charconv>

namespace frugal::bandit {
namespace {

template <class T>
std::vector<T> parse_all(const std::vector<std::string>& texts, const std::string& name, const char* expected) {
  std::vector<T> all;
  for (const std::string& given : texts) {
    const std::size_t first = given.find_first_not_of(" \t"), last = given.find_last_not_of(" \t");
    const std::string text = first == given.npos ? std::string() : given.substr(first, last - first + 1);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      throw Error(Exit::usage, name + " has '" + text + "', expected " + expected, "part numbers by commas: 1,2,3");
    all.push_back(value);
  }
  return all;
}

}  // namespace

std::vector<double> parse_numbers(const std::vector<std::string>& texts, const std::string& name) {
  return parse_all<double>(texts, name, "a number");
}

std::vector<std::int64_t> parse_integers(const std::vector<std::string>& texts, const std::string& name) {
  return parse_all<std::int64_t>(texts, name, "a whole number");
}

ActionSet make_actions(const ProblemConfig& config, const RewardLog* log) {
  if (!config.actions.empty())
    return ActionSet::enumerate(read_actions(config.actions), static_cast<std::int32_t>(config.items));
  if (!config.slots.empty()) {
    const ActionSet set = ActionSet::slots(parse_integers(config.slots, "--slots"));
    if (config.items != 0 && config.items != set.items())
      throw Error(Exit::usage,
                  "--items is " + std::to_string(config.items) + " and --slots have " + std::to_string(set.items()) +
                      ", expected as many",
                  "leave --items out");
    return set;
  }
  const std::int64_t d = config.items > 0 ? config.items : log != nullptr ? log->items() : 10;
  const std::int64_t m = config.choose > 0 ? config.choose : std::min<std::int64_t>(3, d);
  return ActionSet::m_sets(static_cast<std::int32_t>(d), static_cast<std::int32_t>(m));
}

PolicyOptions make_options(const ProblemConfig& problem, const PlayerConfig& player, std::uint64_t seed) {
  return {.range = problem.range,
          .is_theory = player.mode == "theory",
          .seed = seed,
          .proxy_correlation = player.proxy_correlation};
}

std::shared_ptr<const RewardLog> read_log(const EnvironmentConfig& config, double range) {
  if (!config.env.starts_with("replay:")) return nullptr;
  const std::string path = config.env.substr(7);
  auto log = std::make_shared<RewardLog>(RewardLog::read(path));
  if (log->least() < 0 || log->most() > range)
    throw Error(Exit::input,
                path + " has rewards from " + Json(log->least()).dump() + " to " + Json(log->most()).dump() +
                    ", expected 0 to " + Json(range).dump(),
                log->least() < 0 ? "add a constant to the rewards so that they are 0 or more"
                                 : "--range " + Json(log->most()).dump());
  return log;
}

}  // namespace frugal::bandit
