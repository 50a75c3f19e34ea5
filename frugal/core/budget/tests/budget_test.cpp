#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "frugal/base/error.h"
#include "frugal/core/budget/guard.h"

namespace frugal {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(MemoryUsage, ReadsTheKernelsWords) {
  const MemoryUsage usage =
      parse_memory_usage("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\nRssAnon:\t 1000 kB\nRssFile:\t   24 kB");
  EXPECT_EQ(usage.peak, 2 * kMiB);
  EXPECT_EQ(usage.resident, kMiB);
  EXPECT_EQ(usage.anonymous, 1000u * 1024);
  EXPECT_EQ(usage.file, 24u * 1024);
  EXPECT_EQ(parse_memory_usage("VmHWM:\nVmRSS: x kB").peak, 0u);
  EXPECT_EQ(parse_memory_usage("").resident, 0u);
}

TEST(MemoryUsage, FollowsWhatIsTouched) {
  constexpr std::size_t size = 64 * kMiB;
  const MemoryUsage before = memory_usage();
  void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  std::memset(pages, 1, size);
  const MemoryUsage with = memory_usage();
  EXPECT_NEAR(static_cast<double>(with.anonymous - before.anonymous), size, 4.0 * kMiB);
  constexpr std::uint64_t slack = 2 * kMiB;  // the kernel adds up its counters of pages in batches
  EXPECT_GE(with.peak + slack, with.resident);
  ::munmap(pages, size);
  EXPECT_GE(memory_usage().peak + slack, with.resident);
  if (!reset_peak()) GTEST_SKIP() << "the kernel does not let a process reset its peak";
  EXPECT_LT(memory_usage().peak, with.resident - size / 2);
}

struct Machine {
  MemoryUsage usage;
  BudgetGuard::Clock::time_point now{std::chrono::hours(1)};
  int asked = 0;
  BudgetGuard guard(std::uint64_t limit) {
    return {Bytes{limit}, "--batch 4", [this] { return ++asked, usage; }, [this] { return now; }};
  }
};

TEST(BudgetGuard, StopsBeforeTheLimitIsPassed) {
  Machine machine;
  machine.usage = {60 * kMiB, 50 * kMiB, 0, 0};
  BudgetGuard guard = machine.guard(100 * kMiB);
  EXPECT_NO_THROW(guard.check("batch", 50 * kMiB));
  try {
    guard.check("the batch", 50 * kMiB + 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::budget);
    EXPECT_EQ(error.fix(), "--batch 4");
    EXPECT_STREQ(error.what(), "the batch needs 50.0 MiB beside the 50.0 MiB there are; --memory is 100 MiB");
  }
  EXPECT_THROW(guard.check("huge", UINT64_MAX), Error);
}

TEST(BudgetGuard, APeakThatPassedIsReported) {
  Machine machine;
  machine.usage = {101 * kMiB, 50 * kMiB, 0, 0};
  BudgetGuard guard = machine.guard(100 * kMiB);
  EXPECT_THROW(guard.check("a step"), Error);
  machine.usage.peak = 100 * kMiB;
  machine.now += std::chrono::seconds(1);
  EXPECT_NO_THROW(guard.check("a step"));
}

TEST(BudgetGuard, AsksTheKernelSeldomUnlessSomethingGrows) {
  Machine machine;
  BudgetGuard guard = machine.guard(kMiB);
  for (int i = 0; i < 100; ++i) guard.check("a step");
  EXPECT_EQ(machine.asked, 1);
  guard.check("a buffer", 1);
  EXPECT_EQ(machine.asked, 2);
  machine.now += std::chrono::milliseconds(20);
  guard.check("a step");
  EXPECT_EQ(machine.asked, 3);
}

TEST(BudgetGuard, NoLimitNoPromise) {
  Machine machine;
  machine.usage.peak = UINT64_MAX;
  machine.guard(0).check("anything", UINT64_MAX);
  EXPECT_EQ(machine.asked, 0);
}

}  // namespace
}  // namespace frugal
