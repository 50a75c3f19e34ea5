#include "frugal/core/threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <numeric>
#include <stdexcept>
#include <vector>

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

std::vector<int> cpus_of_this_thread() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// Every change of the crowd between two rounds: all items once, members in range, helpers only in a crowd.
TEST(Threads, HelpersComeAndGoWithTheCrowd) {
  bool is_crowded = false;
  Threads threads(3, {}, {[&] { return is_crowded; }, cpus_of_this_thread(), 0, 0});
  EXPECT_EQ(threads.count(), 3);
  EXPECT_EQ(threads.slots(), 9);
  std::vector<std::atomic<int>> seen(40);
  for (int round = 0; round < 4000; ++round) {
    is_crowded = round % 7 < 3;
    const int members = is_crowded ? 9 : 3;
    threads.run(40, [&](std::int64_t item, int thread) {
      ASSERT_EQ(threads.members(), members);
      ASSERT_LT(thread, members);
      ++seen[static_cast<std::size_t>(item)];
    });
  }
  for (const auto& count : seen) EXPECT_EQ(count, 4000);
}

TEST(Threads, ACrowdedMemberStaysOnItsCoreAndIsLetGoAfterwards) {
  const std::vector<int> all = cpus_of_this_thread();
  bool is_crowded = true;
  {
    Threads threads(2, {}, {[&] { return is_crowded; }, all, 0, 0});
    std::atomic<int> arrived = 0;  // each member takes one of the items
    const auto everyone = [&](const Threads::Work& look, int members) {
      arrived = 0;
      threads.run(members, [&](std::int64_t item, int thread) {
        look(item, thread);
        for (++arrived; arrived < members;) std::this_thread::yield();
      });
    };
    everyone(
        [&](std::int64_t, int thread) {
          EXPECT_EQ(cpus_of_this_thread(), std::vector{all[static_cast<std::size_t>(thread) % all.size()]});
        },
        6);
    is_crowded = false;
    everyone([&](std::int64_t, int) { EXPECT_EQ(cpus_of_this_thread(), all); }, 2);
    is_crowded = true;
    threads.run(4, [](std::int64_t, int) {});
    EXPECT_EQ(cpus_of_this_thread(), all) << "between two rounds the caller is free";
    EXPECT_THROW(threads.run(4, [](std::int64_t, int) { throw std::runtime_error("stop"); }), std::runtime_error);
    EXPECT_EQ(cpus_of_this_thread(), all);
  }
}

// Rounds of nothing beside a neighbour, then of 30 milliseconds.
TEST(Threads, ShortRoundsAreNotHelped) {
  Threads threads(2, {}, {[] { return true; }, cpus_of_this_thread(), 20e-3, 0});
  std::atomic<int> helped = 0;
  for (int round = 0; round < 300; ++round) threads.run(4, [&](std::int64_t, int thread) { helped += thread >= 2; });
  EXPECT_EQ(helped, 0);
  for (int round = 0; round < 400 && helped == 0; ++round) {
    threads.run(4, [&](std::int64_t, int thread) {
      helped += thread >= 2;
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
    });
  }
  EXPECT_GT(helped, 0);
}

TEST(Threads, AChangeHoldsForAWhile) {
  bool is_crowded = true;
  Threads threads(2, {}, {[&] { return is_crowded; }, {}, 0, 3600});
  std::atomic<int> most = 0, arrived = 0;
  threads.run(2, [](std::int64_t, int) {});
  is_crowded = false;
  threads.run(6, [&](std::int64_t, int thread) {  // each of six takes one
    for (int seen = most; seen < thread && !most.compare_exchange_weak(seen, thread);) {
    }
    for (++arrived; arrived < 6;) std::this_thread::yield();
  });
  EXPECT_EQ(most, 5);
}

TEST(Threads, OneThreadIsNotHelped) {
  Threads one(1, {}, {[] { return true; }, cpus_of_this_thread(), 0, 0});
  EXPECT_EQ(one.slots(), 1);
  int count = 0;
  one.run(50, [&](std::int64_t, int thread) { count += thread == 0 ? 1 : 100; });
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
