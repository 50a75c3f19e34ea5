// Options made into what they mean: action sets, options of policies, logs.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "frugal/decide/bandit/config.h"
#include "frugal/decide/bandit/environment.h"
#include "frugal/decide/bandit/policy.h"

namespace frugal::bandit {

// log: of a run that replays one, null otherwise; it then says how many items there are where the options do not.
// Error(Exit::usage or input) as action_set.h says.
ActionSet make_actions(const ProblemConfig& config, const RewardLog* log = nullptr);

PolicyOptions make_options(const ProblemConfig& problem, const PlayerConfig& player, std::uint64_t seed);

// The log of --env replay:FILE, checked against the range; null for other environments.
std::shared_ptr<const RewardLog> read_log(const EnvironmentConfig& config, double range);

// Numbers as options give them, in a list. name: "--rewards".
std::vector<double> parse_numbers(const std::vector<std::string>& texts, const std::string& name);
std::vector<std::int64_t> parse_integers(const std::vector<std::string>& texts, const std::string& name);

}  // namespace frugal::bandit
