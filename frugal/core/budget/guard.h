// Keeps the promise of --memory: a run asks before it grows, and stops before the process is larger than promised.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "frugal/base/units.h"
#include "frugal/core/budget/memory_usage.h"

namespace frugal {

class BudgetGuard {
 public:
  using Clock = std::chrono::steady_clock;
  // limit 0: nothing is promised. fix: what the user can do, from the plan. read and now are replaced in tests.
  BudgetGuard(Bytes limit, std::string fix, std::function<MemoryUsage()> read = memory_usage,
              std::function<Clock::time_point()> now = Clock::now);

  // Before `next` more bytes are taken, and after each step with next = 0 (the kernel is then asked at most every 20
  // ms). Error(Exit::budget), naming purpose, sizes and limit, when the process is, was or would be larger than the
  // limit.
  void check(std::string_view purpose, std::uint64_t next = 0);
  Bytes limit() const { return limit_; }

 private:
  Bytes limit_;
  std::string fix_;
  std::function<MemoryUsage()> read_;
  std::function<Clock::time_point()> now_;
  Clock::time_point asked_{};
};

}  // namespace frugal
