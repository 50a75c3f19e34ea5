#include "frugal/decide/bandit/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace frugal::bandit {
namespace {

std::string text(std::span<const std::int32_t> items) {
  std::string all;
  for (const auto i : items) all += (all.empty() ? "" : ",") + std::to_string(i);
  return all;
}

std::string number(double value) {  // as short as it can be read back: 1, 0.3, nan
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

}  // namespace

Policy::Policy(ActionSet actions, PolicyOptions options, bool has_pairs)
    : actions_(std::move(actions)), options_(options), statistics_(actions_.items(), has_pairs) {}

std::span<const std::int32_t> Policy::select() {
  if (chosen_.empty() && !explore(chosen_)) choose(chosen_);
  return chosen_;
}

void Policy::update(std::span<const std::int32_t> items, std::span<const double> rewards) {
  const auto expected = select();
  if (!std::equal(items.begin(), items.end(), expected.begin(), expected.end()))
    throw Error(Exit::input,
                "rewards are for items " + text(items) + ", expected " + text(expected) + " in round " +
                    std::to_string(round()),
                "tell the rewards of the items that were suggested, in their order");
  if (rewards.size() != items.size())
    throw Error(Exit::input,
                "there are " + std::to_string(rewards.size()) + " rewards for items " + text(items) + ", expected " +
                    std::to_string(items.size()),
                "give one reward for each item, in their order");
  for (std::size_t k = 0; k < items.size(); ++k) {
    const double y = rewards[k];
    if (!std::isfinite(y))
      throw Error(Exit::input,
                  "item " + std::to_string(items[k]) + ": the reward is " + number(y) +
                      ", expected a number from 0 to " + number(options_.range),
                  "tell finite rewards only");
    if (y < 0 || y > options_.range)
      throw Error(Exit::input,
                  "item " + std::to_string(items[k]) + ": " + number(y) +
                      (y < 0 ? " is below 0" : " exceeds range " + number(options_.range)),
                  y < 0 ? "add a constant to the rewards so that they are 0 or more"
                        : "divide the rewards by their largest possible value, or begin anew with a larger one: frugal "
                          "bandit new --range");
  }
  statistics_.add(items, rewards);
  ++t_;
  learn(items, rewards);
  chosen_.clear();
}

void Policy::state(State& state, const std::string& prefix) {
  if (state.is_restored()) {
    chosen_.clear();
    forget();
  }
  state.value(prefix + "round", t_);
  statistics_.state(state, prefix);
  own_state(state, prefix);
}

bool Policy::is_sound() const {
  constexpr std::int64_t kMostRounds = 1'000'000'000'000;
  return t_ >= 0 && t_ <= kMostRounds && statistics_.is_sound(t_, options_.range);
}

bool Policy::explore(Items& action) {
  const std::int32_t d = statistics_.items();
  // Each round of exploration sees at least one more item, so that d rounds have seen all.
  if (t_ >= d) return false;
  std::vector<double> unseen(static_cast<std::size_t>(d));
  bool is_over = true;
  for (std::int32_t i = 0; i < d; ++i) {
    if (statistics_.plays(i) == 0) unseen[static_cast<std::size_t>(i)] = 1, is_over = false;
  }
  if (is_over) return false;
  actions_.best(unseen, action);
  return true;
}

double log_round(std::int64_t t) { return std::max(1.0, std::log(static_cast<double>(t))); }
double log_log_round(std::int64_t t) { return std::max(1.0, std::log(log_round(t))); }

const PolicyTable& policies() {
  static const PolicyTable table = [] {
    PolicyTable all("--policy", "policies");
    add_cucb(all);
    add_ols(all);
    add_escb(all);
    add_sampling(all);
    add_action_ucb(all);
    return all;
  }();
  return table;
}

std::vector<const PolicyInfo*> chosen_policies(const std::vector<std::string>& names, const ActionSet& actions) {
  std::vector<const PolicyInfo*> chosen;
  if (names.size() == 1 && names[0] == "all") {
    for (const PolicyInfo& each : policies().all()) {
      if (!each.needs_every_action || actions.can_enumerate()) chosen.push_back(&each);
    }
    std::stable_partition(chosen.begin(), chosen.end(), [](const PolicyInfo* p) { return p->name == "ols-ucb-c"; });
    return chosen;
  }
  for (const std::string& name : names) {
    const PolicyInfo& each = policies().at(name);
    if (std::find(chosen.begin(), chosen.end(), &each) != chosen.end())
      throw Error(Exit::usage, "--policy names " + name + " 2 times, expected once", "name each policy once");
    if (each.needs_every_action && !actions.can_enumerate()) actions.table(name);  // throws with the count
    chosen.push_back(&each);
  }
  if (chosen.empty())
    throw Error(Exit::usage, "--policy names 0 policies, expected at least 1", "--policy all runs all");
  return chosen;
}

}  // namespace frugal::bandit
