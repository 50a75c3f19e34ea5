// Memory by purpose and seconds a step, from file headers only: what fits a budget, and what would have to give.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/formats/model_shape.h"
#include "frugal/plan/machine_rates.h"

namespace frugal {

// The process with LibTorch started and nothing loaded: 155 to 165 MB, measured with the 2.13 wheel for processors.
inline constexpr std::uint64_t kLibTorchFloor = 160'000'000;

struct PlanRequest {
  ModelShape shape;
  std::uint64_t file_bytes = 0;
  std::uint64_t largest_tensor = 0;      // bytes of the file's largest tensor; 0: its share of file_bytes by elements
  std::string weights = "bf16";          // bf16, f32; stored where nothing is tuned
  std::int64_t batch = 8, length = 128;  // sequences evaluated together, tokens of the longest
  std::int64_t threads = 2;
  bool bf16_compute = false;             // products in bf16 instead of fp32
  bool all_tokens = false;               // every token is a target; else label words after each sequence are
  bool whole_head = false;               // label words of several tokens: scored against the whole vocabulary
  bool constant_mask = false;            // a sparse method keeps one bit a weight
  std::int64_t samples = 1;              // directions a step
  std::uint64_t floor = kLibTorchFloor;
  std::uint64_t memory = 0;              // --memory; 0: no limit
  MachineRates rates = machine_rates();
};

struct PlanPart {
  std::string purpose;
  std::uint64_t bytes = 0;
};

struct MethodPlan {
  std::vector<PlanPart> parts;  // their sum is the peak
  double seconds_per_step = 0;
};
std::uint64_t peak_of(const MethodPlan& plan);

// Evaluating a batch; one branch.
MethodPlan plan_forward(const PlanRequest& request);
// MeZO and its kin: two branches over a batch, then an update in place. is_sparse: keeps what a mask needs.
MethodPlan plan_zeroth_order(const PlanRequest& request, bool is_sparse);

struct PlanRow {
  std::string method;
  bool is_tuning = false;
  std::vector<PlanPart> parts;
  std::uint64_t peak = 0;
  bool fits = true;
  std::string what_gives;  // when it does not fit: "--batch 4 -> 612 MiB; or --memory 700MiB"
  double seconds_per_step = 0;
};

struct Planner {
  std::string method;
  bool is_tuning = false;  // changes a copy of the weights, so that they cannot stay as stored
  std::function<MethodPlan(const PlanRequest&)> plan;
};
PlanRow plan_row(const Planner& planner, const PlanRequest& request);

// eval, mezo, sparse-mezo; tuning only where weights are not "stored". Error(Exit::usage) for weights of another name.
std::vector<PlanRow> plan_methods(const PlanRequest& request);

// Error(Exit::budget) with the peak, the limit and what gives when `method` does not fit; Error(Exit::usage) when it has no row.
void require_fit(const PlanRequest& request, const std::string& method);

// The peak and 16 MiB, which is what a plan may be wrong by, rounded up: to 50 MiB below 1 GiB, 256 MiB below 8 GiB, 1 GiB above.
std::uint64_t smallest_budget(std::uint64_t peak);
std::string format_budget(std::uint64_t bytes);  // "700MiB", "2GiB": as --memory takes it

std::string plan_table(const PlanRequest& request, const std::vector<PlanRow>& rows);
Json plan_json(const PlanRequest& request, const std::vector<PlanRow>& rows);

}  // namespace frugal
