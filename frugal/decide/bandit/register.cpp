#include "frugal/base/system.h"
#include "frugal/decide/bandit/play.h"
#include "frugal/decide/bandit/problem.h"

namespace frugal {

void register_decide_bandit(SystemTable& table) {
  using namespace bandit;
  Action run = describe_run<BanditRunConfig>("run", "compare policies on simulated or logged rewards");
  run.trial = "--policy ols-ucb-c,cos-v --items 6 --choose 2 --horizon 100000 --seeds 2";
  run.check = [](const Settings& settings) {
    Json values = settings.values();
    const auto config = from_json<BanditRunConfig>(values);
    validate(config);
    const auto log = read_log(config.environment, config.problem.range);
    const ActionSet actions = make_actions(config.problem, log.get());
    std::vector<std::string> names;
    for (const PolicyInfo* each : chosen_policies(config.policy, actions)) names.emplace_back(each->name);
    Checked checked{std::move(values)};
    checked.facts = {{"actions", actions.describe()}, {"action_count", actions.count()}, {"policies", names}};
    return checked;
  };
  table.add(
      {.name = "bandit",
       .summary = "choose k of d items a round, and learn from the rewards of those chosen",
       .source = "arXiv:2402.15171",
       .group = "decide",
       .examples = {"frugal bandit run --policy ols-ucb-c,cucb --items 10 --choose 3 --horizon 20000 --out RUN",
                    "frugal bandit new --policy ols-ucb-c --items 10 --choose 3 --range 1 --state bandit.state",
                    "frugal bandit suggest --state bandit.state"},
       .actions = {std::move(run),
                   describe_action<BanditNewConfig>("new", "begin a player, kept in a file", begin_player),
                   describe_action<BanditSuggestConfig>("suggest", "print the items to play in this round", suggest),
                   describe_action<BanditTellConfig>("tell", "hand in the rewards of the items played", tell)},
       .metrics = {{"regret", "", false}}});
}

}  // namespace frugal
