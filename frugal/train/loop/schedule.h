// The step size over a run.
#pragma once
#include <cstdint>
#include <string>

namespace frugal {

// peak, after a linear rise from 0 over the first `warmup` steps; "linear" then falls to 0 at `steps`, "constant" stays.
inline double learning_rate(const std::string& schedule, double peak, std::int64_t warmup, std::int64_t steps, std::int64_t step) {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (schedule == "constant" || steps <= warmup) return peak;
  return peak * static_cast<double>(steps - step) / static_cast<double>(steps - warmup);
}

}  // namespace frugal
