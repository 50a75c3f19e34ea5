#include "frugal/core/budget/guard.h"

#include <algorithm>
#include <utility>

#include "frugal/base/error.h"

namespace frugal {

BudgetGuard::BudgetGuard(Bytes limit, std::string fix, std::function<MemoryUsage()> read,
                         std::function<Clock::time_point()> now)
    : limit_(limit), fix_(std::move(fix)), read_(std::move(read)), now_(std::move(now)) {}

void BudgetGuard::check(std::string_view purpose, std::uint64_t next) {
  if (limit_.count == 0) return;
  const Clock::time_point now = now_();
  if (next == 0 && asked_ != Clock::time_point{} && now - asked_ < std::chrono::milliseconds(20)) return;
  asked_ = now;
  const MemoryUsage usage = read_();
  const std::string promise = "; --memory is " + format_bytes(limit_.count);
  const std::uint64_t had = std::max(usage.peak, usage.resident);
  if (had > limit_.count) {
    throw Error(Exit::budget, std::string(purpose) + " took the process to " + format_bytes(had) + promise, fix_);
  }
  if (next > limit_.count - std::min(limit_.count, usage.resident)) {
    throw Error(Exit::budget,
                std::string(purpose) + " needs " + format_bytes(next) + " beside the " + format_bytes(usage.resident) +
                    " there are" + promise,
                fix_);
  }
}

}  // namespace frugal
