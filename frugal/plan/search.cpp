// What fits a budget, and the smallest change of the request that makes it fit.
#include "frugal/base/error.h"
#include "frugal/base/units.h"
#include "frugal/plan/plan.h"
#include "frugal/plan/saturating.h"

namespace frugal {
namespace {

constexpr std::uint64_t kMiB = 1ull << 20, kGiB = 1ull << 30;

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

// A smaller batch, else weights as stored, else a shorter length; more memory is always the other way.
std::string find_what_gives(const Planner& planner, const PlanRequest& request) {
  PlanRequest changed = request;
  const auto peak_with = [&](std::int64_t batch, std::int64_t length) {
    changed.batch = batch;
    changed.length = length;
    return peak_of(planner.plan(changed));
  };
  const auto fits = [&](std::int64_t batch, std::int64_t length) { return peak_with(batch, length) <= request.memory; };
  const std::string more = "--memory " + format_budget(smallest_budget(peak_of(planner.plan(request))));
  const auto say = [&](const std::string& options, std::int64_t batch, std::int64_t length) {
    return options + " -> " + format_bytes(peak_with(batch, length)) + "; or " + more;
  };

  const auto largest_batch = [&] {
    return largest_that_fits(request.batch, [&](std::int64_t b) { return fits(b, request.length); });
  };
  if (const std::int64_t batch = largest_batch(); batch > 0)
    return say("--batch " + std::to_string(batch), batch, request.length);
  if (planner.takes_stored && request.weights != WeightType::stored) {
    changed.weights = WeightType::stored;
    if (fits(request.batch, request.length)) return say("--weights stored", request.batch, request.length);
    if (const std::int64_t batch = largest_batch(); batch > 0)
      return say("--weights stored --batch " + std::to_string(batch), batch, request.length);
    changed.weights = request.weights;
  }
  // Lengths in eights: a prompt of fewer tokens says little.
  const std::int64_t all_eights = request.length / 8 + (request.length % 8 != 0);
  if (const std::int64_t eights = largest_that_fits(all_eights, [&](std::int64_t e) { return fits(1, 8 * e); });
      eights > 0) {
    return say("--batch 1 --length " + std::to_string(8 * eights), 1, 8 * eights);
  }
  return more;
}

}  // namespace

PlanRow plan_row(const Planner& planner, const PlanRequest& request) {
  MethodPlan plan = planner.plan(request);
  const std::uint64_t peak = peak_of(plan), least = plan.least > 0 ? plan.least : peak;
  PlanRow row{planner.method,
              planner.is_tuning,
              std::move(plan.parts),
              peak,
              request.memory == 0 || peak <= request.memory,
              {},
              plan.seconds_per_step,
              std::move(plan.choices),
              least};
  if (!row.fits) row.what_gives = find_what_gives(planner, request);
  return row;
}

std::vector<PlanRow> plan_methods(const std::vector<Planner>& planners, const PlanRequest& request) {
  std::vector<PlanRow> rows;
  for (const Planner& planner : planners) {
    if (planner.takes_stored || can_change(request.weights)) rows.push_back(plan_row(planner, request));
  }
  return rows;
}

const PlanRow& require_fit(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method) {
  std::string names;
  for (const PlanRow& row : rows) names += (names.empty() ? "" : ", ") + row.method;
  for (const PlanRow& row : rows) {
    if (row.method != method) continue;
    if (row.fits) return row;
    throw Error(Exit::budget,
                method + " needs " + format_bytes(row.peak) + " but --memory is " + format_bytes(request.memory),
                row.what_gives + "; see frugal plan");
  }
  throw Error(Exit::usage, "there is no plan for '" + method + "' with --weights " + name(request.weights),
              "planned are " + names);
}

std::uint64_t smallest_budget(std::uint64_t peak) {
  const std::uint64_t bytes = (Saturating(peak) + 16 * kMiB).count();
  const std::uint64_t unit = bytes <= kGiB / (50 * kMiB) * (50 * kMiB) ? 50 * kMiB
                             : bytes <= 8 * kGiB                       ? 256 * kMiB
                                                                       : kGiB;
  return (Saturating(bytes / unit + (bytes % unit != 0)) * unit).count();
}

std::string format_budget(std::uint64_t bytes) {
  if (bytes % kGiB == 0) return std::to_string(bytes / kGiB) + "GiB";
  return bytes % kMiB == 0 ? std::to_string(bytes / kMiB) + "MiB" : std::to_string(bytes);
}

}  // namespace frugal
