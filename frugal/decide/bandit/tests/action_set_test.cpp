// Sets against counting formulas, oracles against looking at every action, and what is refused.
#include "frugal/decide/bandit/action_set.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "frugal/base/atomic_file.h"
#include "frugal/decide/bandit/random.h"
#include "frugal/decide/bandit/tests/helpers.h"

namespace frugal::bandit {
namespace {

double sum(std::span<const double> scores, std::span<const std::int32_t> items) {
  double total = 0;
  for (const auto i : items) total += scores[static_cast<std::size_t>(i)];
  return total;
}

Dag layered() {  // 0 -> {1, 2, 3} -> {4, 5} -> 6, and a short cut 0 -> 4
  Dag dag{.nodes = 7, .source = 0, .sink = 6};
  dag.edges = {{0, 1}, {0, 2}, {0, 3}, {1, 4}, {1, 5}, {2, 4}, {2, 5}, {3, 4}, {3, 5}, {4, 6}, {5, 6}, {0, 4}};
  return dag;
}

struct Case {
  std::string name;
  ActionSet set;
  std::size_t count;
  std::int32_t items, largest;
};

std::vector<Case> cases() {
  return {{"3 of 7", ActionSet::m_sets(7, 3), 35, 7, 3},
          {"18 of 20", ActionSet::m_sets(20, 18), 190, 20, 18},
          {"all of 3", ActionSet::m_sets(3, 3), 1, 3, 3},
          {"slots", ActionSet::slots({3, 1, 4}), 12, 8, 3},
          {"paths", ActionSet::paths(layered()), 7, 12, 3},
          {"wide matchings", ActionSet::matchings(3, 4), 24, 12, 3},
          {"tall matchings", ActionSet::matchings(4, 2), 12, 8, 2},
          {"named", ActionSet::enumerate({{2, 0}, {1}, {1, 2}}), 3, 3, 2}};
}

TEST(ActionSet, HoldsEveryActionOnceInRisingOrder) {
  for (const Case& each : cases()) {
    const ActionTable& table = each.set.table();
    EXPECT_EQ(table.size(), each.count) << each.name;
    EXPECT_EQ(each.set.count(), static_cast<double>(each.count)) << each.name;
    EXPECT_EQ(each.set.items(), each.items) << each.name;
    EXPECT_EQ(each.set.largest(), each.largest) << each.name;
    std::set<Items> different;
    for (std::size_t a = 0; a < table.size(); ++a) {
      EXPECT_TRUE(std::is_sorted(table[a].begin(), table[a].end())) << each.name;
      different.emplace(table[a].begin(), table[a].end());
    }
    EXPECT_EQ(different.size(), each.count) << each.name;
  }
}

TEST(ActionSet, TheOracleFindsTheBestOfAll) {
  for (const Case& each : cases()) {
    const ActionTable& table = each.set.table();
    for (std::uint64_t trial = 0; trial < 200; ++trial) {
      std::vector<double> scores;
      for (std::int32_t i = 0; i < each.items; ++i)
        scores.push_back(normal(trial, static_cast<std::uint64_t>(i), named_stream("bandit.test")));
      double most = -1e9;
      for (std::size_t a = 0; a < table.size(); ++a) most = std::max(most, sum(scores, table[a]));
      Items found;
      each.set.best(scores, found);
      EXPECT_NEAR(sum(scores, found), most, 1e-12) << each.name;
      const bool is_there = [&] {
        for (std::size_t a = 0; a < table.size(); ++a) {
          if (std::equal(found.begin(), found.end(), table[a].begin(), table[a].end())) return true;
        }
        return false;
      }();
      EXPECT_TRUE(is_there) << each.name;
    }
  }
}

TEST(ActionSet, EqualScoresTakeTheFirstItems) {
  Items found;
  ActionSet::m_sets(9, 3).best(std::vector<double>(9, 0.25), found);
  EXPECT_EQ(found, (Items{0, 1, 2}));
  ActionSet::m_sets(40, 20).best(std::vector<double>(40, 0.25), found);
  Items first(20);
  std::iota(first.begin(), first.end(), 0);
  EXPECT_EQ(found, first);
}

TEST(ActionSet, RefusesWhatIsNoSet) {
  const auto refuses = [](auto act, const std::string& fact, Exit code = Exit::input) {
    const auto [found, what] = error_of(act);
    EXPECT_EQ(found, code) << fact;
    EXPECT_NE(what.find(fact), std::string::npos) << what;
  };
  refuses([] { ActionSet::enumerate({}); }, "0 actions");
  refuses([] { ActionSet::enumerate({{0}, {}}); }, "action 1 has 0 items");
  refuses([] { ActionSet::enumerate({{0, 1}, {2, 1, 2}}); }, "action 1 has item 2 2 times");
  refuses([] { ActionSet::enumerate({{0, 3}}, 3); }, "action 0 has item 3");
  refuses([] { ActionSet::enumerate({{0, -1}}); }, "action 0 has item -1");
  refuses([] { ActionSet::enumerate({{0, 1}, {3}}); }, "item 2 of 4 is in 0 actions");
  refuses([] { ActionSet::enumerate({{0, 1}}, 3); }, "item 2 of 3 is in 0 actions");
  refuses([] { ActionSet::enumerate({{0, 2'000'000'000}}); }, "item 1 of 2000000001 is in 0 actions");
  refuses([] { ActionSet::m_sets(3, 4); }, "4 of 3", Exit::usage);
  refuses([] { ActionSet::m_sets(3, 0); }, "0 of 3", Exit::usage);
  refuses([] { ActionSet::slots({2, 0}); }, "a slot has 0 items", Exit::usage);
  refuses([] { ActionSet::m_sets(100, 10).table("escb-2"); }, "escb-2 looks at every action", Exit::usage);
  refuses([] { ActionSet::m_sets(40, 6).table("escb-2"); }, "3838380, expected at most 2000000", Exit::usage);
  Dag cycle = layered();
  cycle.edges.push_back({4, 1});
  refuses([&] { ActionSet::paths(cycle); }, "cycle");
  Dag dead = layered();
  dead.nodes = 8;
  dead.edges.push_back({4, 7});
  refuses([&] { ActionSet::paths(dead); }, "edge 12 (item 12) is on 0 paths");
}

TEST(ActionSet, ReadsAFileOfActions) {
  const TemporaryFile file("actions.txt");
  write_file(file.path(), "# three\n0,4,2\r\n1 3\n\n 3,2\n");
  EXPECT_EQ(error_of([&] { read_actions(file.path()); }).second.substr(file.path().size()),
            " line 5 has ' 3,2', expected the number of an item");
  write_file(file.path(), "# three\n0,4,2\r\n1 3\n\n3, 2");
  EXPECT_EQ(read_actions(file.path()), (std::vector<Items>{{0, 4, 2}, {1, 3}, {3, 2}}));
  write_file(file.path(), "0,1\n1;2\n");
  EXPECT_EQ(error_of([&] { read_actions(file.path()); }).first, Exit::input);
}

}  // namespace
}  // namespace frugal::bandit
