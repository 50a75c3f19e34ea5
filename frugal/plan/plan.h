// Memory by purpose and seconds a step, from file headers only: what fits a budget, and what would have to give.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/base/weight_type.h"
#include "frugal/formats/model_shape.h"
#include "frugal/plan/choices.h"
#include "frugal/plan/machine_rates.h"

namespace frugal {

// The process with LibTorch started and nothing loaded: 114 to 115 MiB, measured with the 2.13 wheel for processors.
inline constexpr std::uint64_t kLibTorchFloor = 121'000'000;
// Pages of its code and of oneDNN's that become resident when products run: 27 to 39 MB, measured with forward, MeZO,
// LoRA and full steps in both types.
inline constexpr std::uint64_t kLibTorchCode = 39'000'000;

// What is kept for so many shapes of bf16 products: a kernel for each, of oneDNN's.
std::uint64_t kernel_bytes(std::uint64_t shapes);

struct PlanRequest {
  ModelShape shape;
  std::uint64_t file_bytes = 0;
  std::uint64_t largest_tensor = 0;       // bytes of the file's largest tensor; 0: its share of file_bytes by elements
  std::uint64_t file_window = 0;          // bytes of the file that must be resident at once at least; 0: all of it
  WeightType weights = WeightType::bf16;  // nf4 and stored where they are not changed
  std::int64_t batch = 8, length = 128;   // sequences evaluated together, tokens of the longest
  std::int64_t threads = 2;
  double mean_length = 0, length_deviation = 0;  // of the examples' tokens; mean 0: all of `length`
  bool bf16_compute = false;                     // products in bf16 instead of fp32
  bool all_tokens = false;                       // every token is a target; else label words after each sequence are
  bool evaluates = false;                        // with all_tokens: sequences are also evaluated, packed as prompts are
  bool whole_head = false;                       // label words of several tokens: scored against the whole vocabulary
  std::uint64_t example_bytes = 0;               // of examples that are kept in memory
  std::uint64_t adapter_bytes = 0;               // of what is laid over the weights
  std::int64_t cached_tokens = 0;  // of all sequences that are generated at once: their keys and values are kept
  std::uint64_t floor = kLibTorchFloor;
  std::uint64_t memory = 0;   // --memory; 0: no limit
  std::uint64_t beside = 0;   // bytes that another model takes beside this one's steps: a teacher's
  std::uint64_t before = 0;   // the same of one that is gone when they begin
  double beside_seconds = 0;  // of it, a step
  MachineRates rates;
};

// The most tokens a step has: batch x length, or, where the lengths' mean is known, what a batch of independent lengths
// exceeds with a chance below 1e-6 (mean and five deviations).
std::uint64_t tokens_of_step(const PlanRequest& request);

struct PlanPart {
  std::string purpose;
  std::uint64_t bytes = 0;
};

struct MethodPlan {
  std::vector<PlanPart> parts;  // their sum is the peak
  double seconds_per_step = 0;
  PlanChoices choices;
  std::uint64_t least = 0;  // the peak with as little of the file resident as streaming takes; 0: the peak there is
};
std::uint64_t peak_of(const MethodPlan& plan);

// Evaluating a batch; one branch.
MethodPlan plan_forward(const PlanRequest& request);
// MeZO and its kin: two branches over a batch, then an update in place.
struct ZerothOrderPlan {
  std::int64_t samples = 1;  // directions a step
  bool has_mask = false;     // one bit a trained number is kept
  std::uint64_t pairs = 0;   // numbers in low-rank pairs that are trained instead of the weights, which branches share
};
MethodPlan plan_zeroth_order(const PlanRequest& request, const ZerothOrderPlan& method);

// A forward, a backward down to the lowest layer with anything trained, and an optimiser.
struct FirstOrderPlan {
  std::uint64_t trained = 0;    // numbers that have a gradient and optimiser state at once, at most
  std::uint64_t gradients = 0;  // fp32 sums held at once: fewer than `trained` when layers step one after the other
  std::uint64_t optimizer_bytes = 8;  // of state, a trained number
  std::uint64_t beside = 0;           // bytes of factors or rows beside the weights
  std::uint64_t kept = 0;             // bytes kept between the turns of blocks
  std::uint64_t scored = 0;           // fp32 sums held before the first step, over checkpoints, and then dropped
  std::uint64_t lowest_layer = 0;     // that a backward goes down to: layers below it leave nothing on the tape
  double depth = 1;                   // mean share of the layers a backward goes through
  double weight_gradients = 1;        // share of the linears' weight gradients that are made
  std::int64_t accumulation = 1;
  bool trains_head = false;  // the head's own weights, or an embedding tied to it
  bool has_pairs = false;    // low-rank: their products are of kinds of their own
  bool has_dropout = false;
  bool has_magnitudes = false;  // DoRA: lengths of rows are made in each pass, products again for their gradient
};
// activations: auto, checkpoint or keep; auto keeps what fits request.memory (all where that is 0), see
// MethodPlan::choices.
MethodPlan plan_first_order(const PlanRequest& request, const FirstOrderPlan& method, const std::string& activations);

struct PlanRow {
  std::string method;
  bool is_tuning = false;
  std::vector<PlanPart> parts;
  std::uint64_t peak = 0;
  bool fits = true;
  std::string what_gives;  // when it does not fit: "--batch 4 -> 612 MiB; or --memory 700MiB"
  double seconds_per_step = 0;
  PlanChoices choices;
  std::uint64_t least = 0;  // the peak, or what it can be brought down to where the weights may be streamed
};

struct Planner {
  std::string method;
  bool is_tuning = false;
  bool takes_stored = true;  // weights may stay as stored: they are not changed
  std::function<MethodPlan(const PlanRequest&)> plan;
};
PlanRow plan_row(const Planner& planner, const PlanRequest& request);

// A row for each planner that can have weights as request.weights says.
std::vector<PlanRow> plan_methods(const std::vector<Planner>& planners, const PlanRequest& request);

// The row of `method`. Error(Exit::budget) with the peak, the limit and what gives when it does not fit;
// Error(Exit::usage) when it has no row.
const PlanRow& require_fit(const std::vector<PlanRow>& rows, const PlanRequest& request, const std::string& method);

// The peak and 16 MiB, which is what a plan may be wrong by, rounded up: to 50 MiB below 1 GiB, 256 MiB below 8 GiB, 1
// GiB above.
std::uint64_t smallest_budget(std::uint64_t peak);
std::string format_budget(std::uint64_t bytes);  // "700MiB", "2GiB": as --memory takes it

struct PlanView {
  bool has_parts = true;                            // a column for each purpose
  std::string learned_name = {};                    // heading of `learned`; empty: there is no such column
  std::map<std::string, std::string> learned = {};  // by method: what is known of what comes of it
  std::string footer = {};                          // empty: the smallest budget that tunes
};
std::string plan_table(const PlanRequest& request, const std::vector<PlanRow>& rows, const PlanView& view = {});
Json plan_json(const PlanRequest& request, const std::vector<PlanRow>& rows);

}  // namespace frugal
