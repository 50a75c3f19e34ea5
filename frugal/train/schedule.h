// The step size over a run.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

namespace frugal {

// peak, after a linear rise from 0 over the first `warmup` steps; "linear" then falls to 0 at `steps`, "cosine" by half
// a cosine, "constant" stays.
inline double learning_rate(const std::string& schedule, double peak, std::int64_t warmup, std::int64_t steps,
                            std::int64_t step) {
  step = std::max<std::int64_t>(step, 0);
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (schedule == "constant" || steps <= warmup) return peak;
  const double left = static_cast<double>(steps - step) / static_cast<double>(steps - warmup);
  return peak * (schedule == "cosine" ? 0.5 - 0.5 * std::cos(std::numbers::pi * left) : left);
}

}  // namespace frugal
