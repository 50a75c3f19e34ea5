// Memory by purpose and seconds a step, from file headers only: what fits a budget, and what would have to give.
// Letters: B branches (2 in a zeroth-order step), N packed tokens of one forward, C hidden size, H query heads, K key heads,
// D head size, F feed-forward width, V vocabulary.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/base/units.h"
#include "frugal/formats/model_shape.h"
#include "frugal/plan/machine_rates.h"

namespace frugal {

enum class PlanWeights { bf16, f32, stored };

// The process with LibTorch started and nothing loaded: 155 to 165 MB, measured with the 2.13 wheel for processors.
inline constexpr std::uint64_t kLibTorchFloor = 160ull << 20;
// Tokens one forward packs at most when label words are scored; longer batches go through in parts (a longer prompt goes alone).
inline constexpr std::int64_t kPackedTokens = 1024;

struct PlanRequest {
  ModelShape shape;
  std::uint64_t file_bytes = 0;      // the model file's
  std::uint64_t largest_tensor = 0;  // bytes of its largest tensor as stored; 0: taken from file_bytes by share of elements
  PlanWeights weights = PlanWeights::bf16;
  std::int64_t batch = 8, length = 128;  // sequences a step, tokens of the longest
  std::int64_t accumulation = 1;         // parts the batch is evaluated in
  std::int64_t labels = 0;               // label words scored after each sequence; 0: every token is a target
  bool single_token_labels = true;       // only the words' rows of the head are made then
  bool stored_mask = false;              // one bit a weight is kept
  std::int64_t samples = 1;              // directions a step
  int threads = 2;
  Arithmetic arithmetic = Arithmetic::f32;
  MachineRates rates;
  std::uint64_t floor = kLibTorchFloor;
  std::uint64_t memory = 0;              // --memory in bytes; 0: no limit
};

// Where in a run a purpose takes its memory; while reading and while stepping do not meet.
enum class Phase { always, reading, stepping };

struct PlanItem {
  std::string purpose;
  std::uint64_t bytes = 0;
  Phase phase = Phase::always;
};

struct MethodPlan {
  std::vector<PlanItem> items;
  double seconds_per_step = 0;
};
std::uint64_t peak_of(const MethodPlan& plan);  // always + the larger of reading and stepping

// One evaluation of a batch: what eval does, and the part of a step that every zeroth-order method repeats.
MethodPlan plan_forward(const PlanRequest& request);
// MeZO and its kin: two branches, one update in place; weights are the run's own copy (bf16 when asked for stored).
MethodPlan plan_zeroth_order(const PlanRequest& request);

using Planner = std::function<MethodPlan(const PlanRequest&)>;

struct PlanRow {
  std::string method;
  MethodPlan plan;
  std::uint64_t peak = 0;
  bool fits = true;
  std::uint64_t smallest_budget = 0;  // the peak, rounded up to a round size
  std::string what_gives;             // when it does not fit: "--batch 4 -> 612 MiB"
};

// can_keep_stored: the method works on quantised blocks, so that --weights stored is a way out.
PlanRow plan_row(std::string method, const Planner& planner, const PlanRequest& request, bool can_keep_stored = false);

// 50 MiB steps below 1 GiB, 256 MiB below 4 GiB, 1 GiB above.
std::uint64_t round_budget(std::uint64_t bytes);

// Error(Exit::budget) with the peak, the limit and what gives, unless the row fits.
void require_fit(const PlanRow& row, std::uint64_t memory);

std::string plan_table(std::span<const PlanRow> rows, std::uint64_t memory);
Json plan_json(std::span<const PlanRow> rows, const PlanRequest& request);

}  // namespace frugal
