// The simulator against golden rows of an independent port, closed forms, and what each tactic promises.
#include "frugal/signals/swarm/simulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "frugal/base/error.h"
#include "frugal/signals/swarm/mersenne.h"

namespace frugal::swarm {
namespace {

TEST(SwarmMersenne, DoublesAreThoseOfTheReference) {
  MersenneUniform u(1);
  EXPECT_NEAR(u(), 0.417022004702574, 1e-15);  // MATLAB's rng(1); rand, and numpy's RandomState(1).rand()
  EXPECT_NEAR(u(), 0.720324493442158, 1e-15);
}

struct Golden {
  Tactic tactic;
  double px, py, vx, vy;
  int rows;
};

// Seed 1, attacker 1 after 20 steps, and the rows of the run: shared/specs/swarm-tsc.md, "Golden trace".
class SwarmGolden : public testing::TestWithParam<Golden> {};
TEST_P(SwarmGolden, TraceOfSeedOne) {
  const Golden& expected = GetParam();
  const Track track = simulate({}, expected.tactic, 1);
  EXPECT_EQ(track.steps, expected.rows);
  EXPECT_NEAR(track.data[0], 42.085110, 1e-5);
  EXPECT_NEAR(track.data[10], 42.095974, 1e-5);
  const double* row = &track.data[20 * 40];
  EXPECT_NEAR(row[0], expected.px, 1e-5);
  EXPECT_NEAR(row[10], expected.py, 1e-5);
  EXPECT_NEAR(row[20], expected.vx, 1e-5);
  EXPECT_NEAR(row[30], expected.vy, 1e-5);
}
INSTANTIATE_TEST_SUITE_P(Tactics, SwarmGolden,
                         testing::Values(Golden{Tactic::greedy, 33.830441, 33.259861, -0.585568, -0.654514, 111},
                                         Golden{Tactic::greedy_plus, 35.313629, 32.075916, -0.485028, -0.732337, 185},
                                         Golden{Tactic::auction, 33.445507, 33.655769, -0.607301, -0.633227, 80},
                                         Golden{Tactic::auction_plus, 33.427959, 33.741230, -0.598126, -0.639955, 74}));

// A step is v <- 0.9 v + 0.1 u, so that |v| = 1 - 0.9^k after k steps along one bearing.
TEST(SwarmPhysics, SpeedRisesAsAFirstOrderLag) {
  for (const Tactic tactic : {Tactic::greedy, Tactic::greedy_plus, Tactic::auction, Tactic::auction_plus}) {
    Engagement engagement({.attackers = 1, .decoys = 1}, tactic, Bodies{{0}, {0}, {0}, {0}},
                          Bodies{{300}, {400}, {0}, {0}});
    for (int k = 1; k <= 60; ++k) {
      engagement.step();
      const Bodies& a = engagement.attackers();
      EXPECT_NEAR(std::hypot(a.vx[0], a.vy[0]), 1 - std::pow(0.9, k), 1e-12);
      EXPECT_NEAR(a.vy[0], a.vx[0] * 4 / 3, 1e-12);
    }
  }
}

TEST(SwarmPhysics, LeadMeetsTheDecoy) {
  MersenneUniform u(7);
  for (int k = 0; k < 1000; ++k) {
    const double bearing = 2 * std::numbers::pi * u(), far = 1 + 60 * u(), angle = 2 * std::numbers::pi * u();
    const double speed = 0.05 + 0.35 * u(), ex = far * std::cos(bearing), ey = far * std::sin(bearing);
    const double wx = speed * std::cos(angle), wy = speed * std::sin(angle);
    const double t = intercept_time(ex, ey, wx, wy, 1);
    EXPECT_GT(t, 0);
    EXPECT_NEAR(std::hypot(ex + wx * t, ey + wy * t), t, 1e-9);
  }
}

// An attacker whose target died and that got no new command keeps the residual of its last one.
TEST(SwarmPhysics, StaleCommandsGoOn) {
  Engagement engagement({.attackers = 1, .decoys = 1}, Tactic::greedy, Bodies{{0}, {0}, {0.5}, {0}},
                        Bodies{{0.5}, {0}, {0}, {0}});
  engagement.step();  // kills, steers nowhere: a = -0.1 * 0.5
  EXPECT_TRUE(engagement.is_over());
  EXPECT_DOUBLE_EQ(engagement.attackers().vx[0], 0.45);
  engagement.step();  // a = -0.05 - 0.1 * 0.45
  EXPECT_DOUBLE_EQ(engagement.attackers().vx[0], 0.45 + (-0.05 - 0.1 * 0.45));
}

TEST(SwarmTactics, AuctionsAssignDistinctTargetsAndGreedyMayShare) {
  int shared = 0;
  for (const Tactic tactic : {Tactic::greedy, Tactic::greedy_plus, Tactic::auction, Tactic::auction_plus}) {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
      Engagement engagement({}, tactic, seed);
      for (int k = 0; k < 60 && !engagement.is_over(); ++k) {
        engagement.step();
        if (engagement.alive() < 10) break;
        const std::set<int> distinct(engagement.targets().begin(), engagement.targets().end());
        if (communicates(tactic)) {
          ASSERT_EQ(distinct.size(), 10u) << name(tactic) << " seed " << seed << " step " << k;
        } else {
          shared += distinct.size() < 10;
        }
      }
    }
  }
  EXPECT_GT(shared, 1000);
}

TEST(SwarmTactics, AuctionIsTheExhaustiveOneBitForBit) {
  for (const auto& [agents, decoys] : {std::pair{10, 10}, {25, 10}, {10, 25}, {3, 1}, {40, 40}}) {
    for (std::uint32_t seed = 1; seed <= 5; ++seed) {
      const EngagementConfig config{.attackers = agents, .decoys = decoys};
      Engagement fast(config, Tactic::auction, seed), slow(config, Tactic::auction, seed);
      slow.search_exhaustively();
      while (!fast.is_over()) fast.step();
      while (!slow.is_over()) slow.step();
      EXPECT_EQ(fast.steps(), slow.steps());
      EXPECT_EQ(fast.attackers().px, slow.attackers().px);
      EXPECT_EQ(fast.attackers().vy, slow.attackers().vy);
    }
  }
}

TEST(SwarmTactics, TiesGoToTheLowerColumnThenTheLowerRow) {
  const std::vector<double> distances = {2, 1, 1,  //
                                         1, 1, 2,  //
                                         1, 3, 1};
  const std::vector<int> expected = {1, 0, 2};
  EXPECT_EQ(nearest_pairs(distances, 3, 3), expected);
  EXPECT_EQ(nearest_pairs_exhaustively(distances, 3, 3), expected);
}

// Few different distances, so that ties abound; some without a pair.
TEST(SwarmTactics, PairsAreThoseOfTheDefinition) {
  MersenneUniform u(11);
  for (int round = 0; round < 2000; ++round) {
    const auto n = static_cast<std::size_t>(1 + 7 * u()), m = static_cast<std::size_t>(1 + 7 * u());
    std::vector<double> distances(n * m);
    for (double& d : distances) d = u() < 0.1 ? INFINITY : std::floor(5 * u());
    ASSERT_EQ(nearest_pairs(distances, n, m), nearest_pairs_exhaustively(distances, n, m)) << round;
  }
}

TEST(SwarmSimulator, EveryTacticBeginsWithTheSameStart) {
  for (const bool is_random : {false, true}) {
    const EngagementConfig config{.attackers = 4, .decoys = 7, .random_start = is_random};
    const Track first = simulate(config, Tactic::greedy, 5, 1);
    EXPECT_EQ(first.steps, 1);
    EXPECT_EQ(simulate(config, Tactic::auction_plus, 5, 1).data, first.data);
    EXPECT_NE(simulate(config, Tactic::greedy, 6, 1).data, first.data);
  }
}

TEST(SwarmSimulator, MotionsHeadWhereTheySay) {
  const auto angle = [](Motion motion, std::size_t j) {
    const Engagement engagement({.motion = motion}, Tactic::greedy, 3);
    return std::atan2(engagement.decoys().vy[j], engagement.decoys().vx[j]) * 180 / std::numbers::pi;
  };
  EXPECT_NEAR(angle(Motion::str, 4), 45, 1e-9);
  EXPECT_NEAR(angle(Motion::perL, 4), 135, 1e-9);
  EXPECT_NEAR(angle(Motion::perR, 4), -45, 1e-9);
  EXPECT_NEAR(angle(Motion::semi, 0), -45, 1e-9);
  EXPECT_NEAR(angle(Motion::semi, 9), 135, 1e-9);
  const Engagement slow({.motion = Motion::zero}, Tactic::greedy, 3);
  EXPECT_NEAR(std::hypot(slow.decoys().vx[2], slow.decoys().vy[2]), 1e-4, 1e-16);
}

TEST(SwarmSimulator, NamesArePairedWithWhatTheyAre) {
  for (int k = 0; k < kTactics; ++k) {
    const auto tactic = static_cast<Tactic>(k);
    EXPECT_EQ(parse_tactic(name(tactic)), tactic);
    EXPECT_EQ(2 * communicates(tactic) + leads(tactic), k);
  }
  EXPECT_THROW(parse_tactic("swarm"), Error);
  EXPECT_THROW(parse_motion("circle"), Error);
}

}  // namespace
}  // namespace frugal::swarm
