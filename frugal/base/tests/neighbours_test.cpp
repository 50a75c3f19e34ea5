#include "frugal/base/neighbours.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <fstream>
#include <iterator>
#include <thread>

#include "frugal/base/processor.h"
#include "frugal/base/time_quota.h"

namespace frugal {
namespace {

constexpr const char* kStat =
    "cpu  600 7 60 9000 5 6 3 50 0 0\n"
    "cpu0 100 1 10 4000 2 1 1 20 0 0\n"
    "cpu1 200 2 20 3000 2 2 1 20 0 0\n"
    "cpu3 300 4 30 2000 1 3 1 10 0 0\n"
    "intr 5 0 0\n";

TEST(Neighbours, CountsWhatTheNamedProcessorsComputedWithoutNicedWork) {
  EXPECT_DOUBLE_EQ(computed_seconds(kStat, {0}, 100), 1.12);
  EXPECT_DOUBLE_EQ(computed_seconds(kStat, {0, 3}, 100), 1.12 + 3.34);
  EXPECT_DOUBLE_EQ(computed_seconds(kStat, {1}, 1000), 0.223);
}

TEST(Neighbours, WhatTheKernelDoesNotSayIsUnknown) {
  EXPECT_EQ(computed_seconds(kStat, {0, 2}, 100), -1) << "no line for processor 2";
  EXPECT_EQ(computed_seconds("", {0}, 100), -1);
  EXPECT_EQ(computed_seconds("cpu0 100 1\n", {0}, 100), -1) << "cut off";
  EXPECT_EQ(computed_seconds("cpu0 a b c d e f g\n", {0}, 100), -1);
  EXPECT_EQ(computed_seconds("intr 5\ncpu0 1 1 1 1 1 1 1\n", {0}, 100), -1) << "not where proc(5) has it";
  EXPECT_EQ(computed_seconds(kStat, {0}, 0), -1);
}

TEST(Neighbours, OwnTimeIsTakenOff) {
  EXPECT_FALSE(others_compute(1, 1, 0.5, false)) << "two cores, all of it our own";
  EXPECT_FALSE(others_compute(4, 4, 0.5, true));
  EXPECT_TRUE(others_compute(1, 0.75, 0.5, false)) << "half a core is another's";
  EXPECT_TRUE(others_compute(0.5, 0, 0.5, false));
}

// A neighbour that competes with one thread for a core has half of it, with three a quarter.
TEST(Neighbours, MoreBeginsItThanEndsIt) {
  EXPECT_TRUE(others_compute(0.5, 0, 1, false));
  EXPECT_FALSE(others_compute(0.25, 0, 1, false));
  EXPECT_TRUE(others_compute(0.25, 0, 1, true));
  EXPECT_FALSE(others_compute(0.1, 0, 1, true));
  EXPECT_FALSE(others_compute(0.1, 0, 0, true)) << "no time has passed";
}

double computed_now() {
  std::ifstream in("/proc/stat");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return computed_seconds(text, usable_cpus(), static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

// So that what is left after this process's own time is taken off is the others'.
TEST(Neighbours, TheKernelCountsThisProcessToo) {
  if (::getpriority(PRIO_PROCESS, 0) > 0 || computed_now() <= 0) GTEST_SKIP() << "niced, or the kernel does not say";
  const double before = computed_now();
  const std::clock_t began = std::clock();
  while (std::clock() - began < CLOCKS_PER_SEC / 2) {
  }
  const double own = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  EXPECT_GE(computed_now() - before, 0.8 * own);
}

// A real neighbour on each core for as long as it takes; its end cannot be tested where others compute as well.
TEST(Neighbours, BusyProcessesAreSeen) {
  if (has_time_quota() || ::getpriority(PRIO_PROCESS, 0) > 0 || computed_now() <= 0)
    GTEST_SKIP() << "niced, limited, or the kernel does not say";
  const pid_t parent = ::getpid();
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < usable_cpus().size(); ++i) {
    children.push_back(::fork());
    ASSERT_GE(children.back(), 0);
    if (children.back() == 0) {
      while (::getppid() == parent) {
      }
      ::_exit(0);
    }
  }
  Neighbours neighbours;
  EXPECT_FALSE(neighbours.are_busy()) << "no half second has passed";
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!neighbours.are_busy() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(neighbours.are_busy());
  for (const pid_t child : children) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace
}  // namespace frugal
