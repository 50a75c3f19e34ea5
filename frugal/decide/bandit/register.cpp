#include "frugal/base/log.h"
#include "frugal/base/system.h"
#include "frugal/decide/bandit/play.h"
#include "frugal/decide/bandit/problem.h"

namespace frugal {
namespace {

std::vector<Plugin> listed_policies() {
  std::vector<Plugin> all;
  for (const bandit::PolicyInfo& each : bandit::policies().all())
    all.push_back({.name = each.name, .summary = each.summary, .source = each.source});
  return all;
}

// A log that is shorter than the run comes again: nothing that one should find out from the results.
void note_passes(const bandit::BanditRunConfig& config, const bandit::RewardLog* log) {
  if (log == nullptr || static_cast<std::int64_t>(log->rounds()) >= config.horizon) return;
  note("--horizon is " + std::to_string(config.horizon) + " and the log has " + std::to_string(log->rounds()) +
       " rounds: it is gone through again and again, each time in another order");
}

}  // namespace

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
    note_passes(config, log.get());
    Checked checked{std::move(values)};
    checked.facts = {{"actions", actions.describe()}, {"action_count", actions.count_json()}, {"policies", names}};
    return checked;
  };
  run.listed = {{"policies", listed_policies}};
  Action begin = describe_action<BanditNewConfig>("new", "begin a player, kept in a file", begin_player);
  begin.listed = run.listed;
  table.add({.name = "bandit",
             .summary = "choose k of d items a round, and learn from the rewards of those chosen",
             .source = "arXiv:2402.15171",
             .group = "decide",
             .examples = {"frugal bandit run --policy ols-ucb-c,cucb --items 10 --choose 3 --horizon 20000 --out RUN",
                          "frugal bandit new --policy ols-ucb-c --items 10 --choose 3 --range 1 --state bandit.state",
                          "frugal bandit suggest --state bandit.state"},
             .actions = {std::move(run), std::move(begin),
                         describe_action<BanditSuggestConfig>(
                             "suggest", "print the items to play in this round; the same until told", suggest),
                         describe_action<BanditTellConfig>("tell", "hand in the rewards of the items played", tell)},
             .metrics = {{"regret", "reward", false}}});
}

}  // namespace frugal
