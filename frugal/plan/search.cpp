// What fits a budget, and the smallest change of the request that makes it fit.
#include "frugal/base/error.h"
#include "frugal/base/units.h"
#include "frugal/plan/plan.h"
#include "frugal/plan/saturating.h"

namespace frugal {
namespace {

// The largest value in [1, below) that fits, 0 when none does; memory never falls when the value rises.
template <class Fits>
std::int64_t largest_that_fits(std::int64_t below, const Fits& fits) {
  std::int64_t low = 0, high = below;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

std::string change(const std::string& options, std::uint64_t peak) { return options + " -> " + format_bytes(peak); }

std::string find_what_gives(const Planner& planner, PlanRequest request, bool can_keep_stored, std::uint64_t smallest_budget) {
  const auto peak_with = [&](std::int64_t batch, std::int64_t length) {
    PlanRequest changed = request;
    changed.batch = batch;
    changed.length = length;
    return peak_of(planner(changed));
  };
  const auto fits = [&](std::uint64_t peak) { return peak <= request.memory; };
  const std::int64_t batch = largest_that_fits(request.batch, [&](std::int64_t b) { return fits(peak_with(b, request.length)); });
  if (batch > 0) return change("--batch " + std::to_string(batch), peak_with(batch, request.length));
  // Lengths in eights: a prompt of fewer tokens says little.
  const std::int64_t eights = largest_that_fits((request.length + 7) / 8, [&](std::int64_t e) { return fits(peak_with(1, 8 * e)); });
  if (eights > 0) return change("--batch 1 --length " + std::to_string(8 * eights), peak_with(1, 8 * eights));
  if (can_keep_stored && request.weights != PlanWeights::stored) {
    request.weights = PlanWeights::stored;
    const std::int64_t stored = largest_that_fits(request.batch + 1, [&](std::int64_t b) { return fits(peak_with(b, request.length)); });
    const std::string option = "--weights stored";
    if (stored == request.batch) return change(option, peak_with(stored, request.length));
    if (stored > 0) return change(option + " --batch " + std::to_string(stored), peak_with(stored, request.length));
  }
  return "--memory " + std::to_string(smallest_budget >> 20) + "MiB";
}

}  // namespace

std::uint64_t round_budget(std::uint64_t bytes) {
  constexpr std::uint64_t mib = 1ull << 20, gib = 1ull << 30;
  const std::uint64_t unit = bytes <= 1000 * mib ? 50 * mib : bytes <= 4 * gib ? 256 * mib : gib;
  if (bytes > Saturating::kMost - unit) return Saturating::kMost;
  return (bytes + unit - 1) / unit * unit;
}

PlanRow plan_row(std::string method, const Planner& planner, const PlanRequest& request, bool can_keep_stored) {
  PlanRow row{std::move(method), planner(request), 0, true, 0, {}};
  row.peak = peak_of(row.plan);
  row.smallest_budget = round_budget(row.peak);
  row.fits = request.memory == 0 || row.peak <= request.memory;
  if (!row.fits) row.what_gives = find_what_gives(planner, request, can_keep_stored, row.smallest_budget);
  return row;
}

void require_fit(const PlanRow& row, std::uint64_t memory) {
  if (memory == 0 || row.peak <= memory) return;
  throw Error(Exit::budget, row.method + " needs " + format_bytes(row.peak) + " but --memory is " + format_bytes(memory),
              row.what_gives + "; see frugal plan");
}

}  // namespace frugal
