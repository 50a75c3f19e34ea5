#include "frugal/base/threads.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/processor.h"

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

// Every change of the crowd between two rounds: all items once, members in range, helpers only in a crowd.
TEST(Threads, HelpersComeAndGoWithTheCrowd) {
  bool is_crowded = false;
  Threads threads(3, {}, {[&] { return is_crowded; }, 0, 0});
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

// A round of so many items in which each thread takes one: it waits there for the others, at most 20 seconds. Returns
// the threads that came.
std::vector<int> everyone(
    Threads& threads, int members, const Threads::Work& look = [](std::int64_t, int) {}) {
  std::vector<int> came(static_cast<std::size_t>(members), -1);
  std::atomic<int> arrived = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  threads.run(members, [&](std::int64_t item, int thread) {
    came[static_cast<std::size_t>(item)] = thread;
    look(item, thread);
    for (++arrived; arrived < members && std::chrono::steady_clock::now() < until;) std::this_thread::yield();
  });
  std::sort(came.begin(), came.end());
  return came;
}

TEST(Threads, ACrowdedMemberStaysOnItsCoreAndIsLetGoAfterwards) {
  const std::vector<int> all = usable_cpus();
  if (all.size() < 2) GTEST_SKIP() << "one core";
  bool is_crowded = true;
  {
    Threads threads(2, {}, {[&] { return is_crowded; }, 0, 0});
    EXPECT_EQ(everyone(threads, 6,
                       [&](std::int64_t, int thread) {
                         EXPECT_EQ(usable_cpus(), std::vector{all[static_cast<std::size_t>(thread) % all.size()]});
                       }),
              (std::vector{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(usable_cpus(), all) << "between two rounds the caller is free";
    EXPECT_THROW(threads.run(4, [](std::int64_t, int) { throw std::runtime_error("stop"); }), std::runtime_error);
    EXPECT_EQ(usable_cpus(), all);
    is_crowded = false;
    EXPECT_EQ(everyone(threads, 2, [&](std::int64_t, int) { EXPECT_EQ(usable_cpus(), all); }), (std::vector{0, 1}));
  }
  EXPECT_EQ(usable_cpus(), all);
}

TEST(Threads, ARoundOfNoMoreItemsThanTheTeamIsNotHelped) {
  Threads threads(3, {}, {[] { return true; }, 0, 0});
  const auto threads_of = [&](int members) { return everyone(threads, members); };
  EXPECT_EQ(threads_of(9), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  for (int round = 0; round < 200; ++round) ASSERT_EQ(threads_of(3), (std::vector{0, 1, 2}));
  EXPECT_EQ(threads_of(9), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

// Helpers come when rounds take a twentieth of a second on average and leave when that is half; the mean remembers
// some 32.
TEST(Threads, ShortRoundsAreNotHelped) {
  Threads threads(2, {}, {[] { return true; }, 0.05, 0});
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto rounds_until = [&](int members, std::chrono::milliseconds each) {
    do {
      threads.run(4, [&](std::int64_t, int) { std::this_thread::sleep_for(each); });
    } while (threads.members() != members && std::chrono::steady_clock::now() < until);
    return threads.members();
  };
  for (int round = 0; round < 70; ++round) ASSERT_EQ(rounds_until(2, std::chrono::milliseconds(0)), 2);
  EXPECT_EQ(rounds_until(6, std::chrono::milliseconds(250)), 6);  // two after each other: half a second
  EXPECT_EQ(rounds_until(2, std::chrono::milliseconds(0)), 2);
}

TEST(Threads, AChangeHoldsForAWhile) {
  bool is_crowded = true;
  Threads threads(2, {}, {[&] { return is_crowded; }, 0, 3600});
  threads.run(2, [](std::int64_t, int) {});
  is_crowded = false;
  EXPECT_EQ(everyone(threads, 6), (std::vector{0, 1, 2, 3, 4, 5}));
}

TEST(Threads, OneThreadAndLargeTeamsAreNotHelped) {
  for (const int count : {1, 9}) {
    Threads threads(count, {}, {[] { return true; }, 0, 0});
    EXPECT_EQ(threads.slots(), count);
    std::atomic<int> done = 0;
    for (int round = 0; round < 50; ++round) {
      threads.run(50, [&](std::int64_t, int thread) {
        ASSERT_LT(thread, count);
        ++done;
      });
    }
    EXPECT_EQ(done, 2500);
  }
}

// New threads want a stack larger than all addresses there are, so that the system has to refuse them.
class NoThreads {
 public:
  NoThreads() {
    pthread_attr_t huge;
    ::pthread_getattr_default_np(&usual_);
    ::pthread_getattr_default_np(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 62);
    EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
    ::pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    EXPECT_EQ(::pthread_setattr_default_np(&usual_), 0);
    ::pthread_attr_destroy(&usual_);
  }

 private:
  pthread_attr_t usual_;
};

TEST(Threads, ATeamThatTheSystemDoesNotStartIsAnError) {
  const NoThreads none;
  try {
    Threads threads(3);
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("the system started 1 of 3 threads")) << error.what();
    EXPECT_TRUE(error.fix().starts_with("fewer --threads")) << error.fix();
  }
}

// Some start, then no more: those are ended before the error. A user of its own, since root has no such limit.
TEST(Threads, ATeamInPartStartedEndsBeforeTheError) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root, and the limit counts every process of the user";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto nobody = static_cast<uid_t>(200000 + ::getpid());
    const rlimit few{4, 4};
    if (::setrlimit(RLIMIT_NPROC, &few) != 0 || ::setresuid(nobody, nobody, nobody) != 0) ::_exit(2);
    try {
      Threads threads(20);
      ::_exit(2);  // no limit here
    } catch (const Error& error) {
      const std::string what = error.what();
      const bool is_part =
          what.find(" of 20 threads: ") != std::string::npos && what.find("started 1 of") == std::string::npos;
      ::_exit(is_part ? 0 : 3);
    } catch (...) {
      ::_exit(4);
    }
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "no other user, or no limit of processes";
  EXPECT_EQ(status, 0);
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
