#include "frugal/core/threads.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace frugal {
namespace {

TEST(Threads, EveryItemRunsOnceOverManyRounds) {
  Threads threads(4);
  std::vector<std::atomic<int>> seen(97);
  for (int round = 0; round < 2000; ++round) {
    threads.run(97, [&](std::int64_t item, int thread) {
      ASSERT_GE(thread, 0);
      ASSERT_LT(thread, 4);
      ++seen[static_cast<std::size_t>(item)];
    });
  }
  for (const auto& count : seen) EXPECT_EQ(count, 2000);
}

// Rounds of few items on more threads than cores: a thread that has taken an item and loses its core before it begins
// is waited for.
TEST(Threads, ALateThreadFinishesItsItemBeforeTheRoundEnds) {
  Threads threads(8);
  for (int round = 0; round < 60000; ++round) {
    std::atomic<int> done = 0;
    threads.run(3, [&](std::int64_t, int) { ++done; });
    ASSERT_EQ(done, 3) << round;
  }
}

TEST(Threads, TheFirstExceptionComesBackAndTheTeamGoesOn) {
  Threads threads(3);
  EXPECT_THROW(threads.run(50,
                           [](std::int64_t item, int) {
                             if (item == 7) throw std::runtime_error("seven");
                           }),
               std::runtime_error);
  std::atomic<int> count = 0;
  threads.run(50, [&](std::int64_t, int) { ++count; });
  EXPECT_EQ(count, 50);
}

TEST(Threads, StartRunsInEachThread) {
  std::atomic<int> started = 0;
  {
    Threads threads(3, [&] { ++started; });
  }
  EXPECT_EQ(started, 3);
}

}  // namespace
}  // namespace frugal
