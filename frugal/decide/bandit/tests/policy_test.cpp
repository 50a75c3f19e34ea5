// What every policy of the table promises, without a word about any of them.
#include "frugal/decide/bandit/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frugal/decide/bandit/quadratic.h"
#include "frugal/decide/bandit/tests/helpers.h"

namespace frugal::bandit {
namespace {

class EveryPolicy : public testing::TestWithParam<std::string> {
 protected:
  static const PolicyInfo& info() { return policies().at(GetParam()); }
};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const PolicyInfo& each : policies().all()) all.emplace_back(each.name);
  return all;
}

TEST_P(EveryPolicy, SettlesOnABestActionThatIsFarAhead) {
  // Means 0.2 and, of items 1 and 4, 0.8; every action of two items.
  const ActionSet set = ActionSet::m_sets(6, 2);
  const auto policy = info().make(set, {.seed = 7});
  int best = 0;
  for (std::int64_t t = 0; t < 4000; ++t) {
    const Items items(policy->select().begin(), policy->select().end());
    std::vector<double> y;
    for (const auto i : items) y.push_back((i == 1 || i == 4 ? 0.8 : 0.2) + (t % 2 == 0 ? 0.1 : -0.1));
    if (t >= 3000) best += items == Items{1, 4};
    policy->update(items, y);
  }
  EXPECT_GT(best, 900);
}

TEST_P(EveryPolicy, GoesOnFromItsStateAsIfNeverStopped) {
  for (const bool is_theory : {false, true}) {
    const ActionSet set = ActionSet::m_sets(7, 3);
    const PolicyOptions options{.is_theory = is_theory, .seed = 3};
    const auto environment = make_environment({.env = "bernoulli", .rho = -0.5}, 7, 1, 11, nullptr);
    for (const std::int64_t stop : {0, 1, 5, 60, 1000}) {
      const auto whole = info().make(set, options);
      play(*whole, *environment, stop);
      Saved saved;
      saved.take(*whole);
      const auto resumed = info().make(set, options);
      play(*resumed, *environment, 17);  // what was there before must not matter
      saved.put(*resumed);
      EXPECT_TRUE(resumed->is_sound());
      EXPECT_EQ(play(*resumed, *environment, 300, stop), play(*whole, *environment, 300, stop)) << stop;
    }
  }
}

TEST_P(EveryPolicy, SelectIsTheSameUntilUpdate) {
  const auto policy = info().make(ActionSet::m_sets(5, 2), {});
  const auto environment = make_environment({}, 5, 1, 1, nullptr);
  play(*policy, *environment, 50);
  const Items first(policy->select().begin(), policy->select().end());
  for (int again = 0; again < 3; ++again) EXPECT_EQ(Items(policy->select().begin(), policy->select().end()), first);
}

TEST_P(EveryPolicy, RefusesRewardsThatCannotBe) {
  const auto policy = info().make(ActionSet::m_sets(5, 2), {});
  const auto environment = make_environment({}, 5, 1, 1, nullptr);
  play(*policy, *environment, 30);
  const Items items(policy->select().begin(), policy->select().end());
  const std::string first = "item " + std::to_string(items[0]);
  const auto says = [&](const Items& of, const std::vector<double>& rewards) {
    const auto [code, what] = error_of([&] { policy->update(of, rewards); });
    EXPECT_EQ(code, Exit::input);
    return what;
  };
  EXPECT_EQ(says(items, {1.3, 0.5}), first + ": 1.3 exceeds range 1");
  EXPECT_EQ(says(items, {-0.5, 0.5}), first + ": -0.5 is below 0");
  EXPECT_NE(says(items, {std::nan(""), 0.5}).find(first + ": the reward is nan"), std::string::npos);
  EXPECT_NE(says(items, {std::numeric_limits<double>::infinity(), 0.5}).find("is inf"), std::string::npos);
  EXPECT_NE(says(items, {0.5}).find("1 rewards"), std::string::npos);
  EXPECT_NE(says({items[1], items[0]}, {0.5, 0.5}).find("expected " + std::to_string(items[0])), std::string::npos);
  EXPECT_NE(says({items[0]}, {0.5}).find("rewards are for items"), std::string::npos);
  EXPECT_EQ(policy->round(), 31);  // nothing of this was taken
  policy->update(items, std::vector<double>{0, 1});
  EXPECT_EQ(policy->round(), 32);
}

// Rewards of another range are the same game: every choice is that of rewards in [0, 1]. 4 is a power of two, so that
// scaled numbers have the same bits.
TEST_P(EveryPolicy, TheRangeOfRewardsDoesNotMatter) {
  const ActionSet set = ActionSet::m_sets(6, 2);
  const auto one = info().make(set, {.range = 1, .seed = 2}), four = info().make(set, {.range = 4, .seed = 2});
  const auto small = make_environment({}, 6, 1, 4, nullptr), large = make_environment({}, 6, 4, 4, nullptr);
  EXPECT_EQ(play(*one, *small, 500), play(*four, *large, 500));
}

TEST_P(EveryPolicy, SeesEveryItemFirst) {
  const auto policy = info().make(ActionSet::slots({3, 2, 5}), {});
  const auto environment = make_environment({}, 10, 1, 1, nullptr);
  play(*policy, *environment, 30);
  for (std::int32_t i = 0; i < 10; ++i) EXPECT_GT(policy->statistics().plays(i), 0) << i;
}

INSTANTIATE_TEST_SUITE_P(Bandit, EveryPolicy, testing::ValuesIn(names()), [](const auto& each) {
  std::string name = each.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// Bounds and kept scores, or every action scored anew in every round: the same choices.
TEST(QuadraticPolicy, ScoringFewActionsChoosesAsScoringAll) {
  for (const char* name : {"ols-ucb-c", "ols-ucb", "escb-2", "escb-c"}) {
    for (const double rho : {-0.8, 0.0, 0.8}) {
      for (const bool is_theory : {false, true}) {
        const ActionSet set = ActionSet::m_sets(12, 4);
        const auto environment = make_environment({.rho = rho, .sd_high = 0.3}, 12, 1, 9, nullptr);
        const auto few = policies().at(name).make(set, {.is_theory = is_theory});
        const auto all = policies().at(name).make(set, {.is_theory = is_theory, .is_incremental = false});
        EXPECT_EQ(play(*few, *environment, 1000), play(*all, *environment, 1000)) << name << " " << rho;
      }
    }
  }
}

TEST(Policies, AreChosenByName) {
  const ActionSet small = ActionSet::m_sets(6, 2), large = ActionSet::m_sets(60, 10);
  EXPECT_EQ(chosen_policies({"all"}, small).size(), policies().all().size());
  EXPECT_EQ(chosen_policies({"all"}, small).front()->name, "ols-ucb-c");
  EXPECT_EQ(chosen_policies({"all"}, large).size(), 3u);
  EXPECT_EQ(chosen_policies({"cucb", "cos-v"}, large).front()->name, "cucb");
  EXPECT_EQ(error_of([&] { chosen_policies({"cubc"}, small); }).first, Exit::usage);
  EXPECT_NE(error_of([&] { chosen_policies({"cucb", "cucb"}, small); }).second.find("2 times"), std::string::npos);
  EXPECT_NE(error_of([&] { chosen_policies({"escb-2"}, large); }).second.find("75394027566"), std::string::npos);
  EXPECT_EQ(error_of([&] { chosen_policies({}, small); }).first, Exit::usage);
}

TEST(Policies, LinearOnesTakeSetsThatNobodyCouldList) {
  const auto policy = policies().at("cos-v").make(ActionSet::m_sets(1000, 20), {});
  const auto environment = make_environment({}, 1000, 1, 1, nullptr);
  play(*policy, *environment, 200);
  for (std::int32_t i = 0; i < 1000; ++i) EXPECT_GT(policy->statistics().plays(i), 0);
}

}  // namespace
}  // namespace frugal::bandit
