#include "frugal/plan/plan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "frugal/base/error.h"
#include "frugal/base/units.h"
#include "frugal/plan/calibration.h"
#include "frugal/plan/saturating.h"
#include "frugal/plan/tests/requests.h"

namespace frugal {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Evaluation and the zeroth-order methods, as their folders plan them.
std::vector<Planner> planners(const ZerothOrderPlan& sparse = {}) {
  return {{"eval", false, true, plan_forward},
          {"mezo", true, false, [=](const PlanRequest& r) { return plan_zeroth_order(r, {sparse.samples}); }},
          {"sparse-mezo", true, false, [=](const PlanRequest& r) { return plan_zeroth_order(r, sparse); }}};
}
std::vector<PlanRow> plan_methods(const PlanRequest& request) { return frugal::plan_methods(planners(), request); }

std::uint64_t part(const PlanRow& row, const std::string& purpose) {
  for (const PlanPart& p : row.parts) {
    if (p.purpose == purpose) return p.bytes;
  }
  return 0;
}

PlanRow row_of(const PlanRequest& request, const std::string& method, const ZerothOrderPlan& sparse = {}) {
  for (PlanRow& row : frugal::plan_methods(planners(sparse), request)) {
    if (row.method == method) return row;
  }
  throw std::runtime_error("no row " + method);
}

// Rates that made the times come back from them.
TEST(Plan, FittedRatesGiveTheMeasuredSeconds) {
  MachineRates truth;
  truth.bf16_flops = 123e9;
  truth.plain_weights = 3.1e9;
  truth.panel_weights = 0.7e9;
  truth.update_weights = truth.panel_weights * MachineRates().update_weights / MachineRates().panel_weights;
  MeasuredSteps measured;
  measured.many = measured.few = smollm();
  measured.few.batch = 1;
  measured.few.length = 32;
  const auto seconds = [&](PlanRequest r, const auto& plan) {
    r.rates = truth;
    return plan(r).seconds_per_step;
  };
  const auto mezo = [](const PlanRequest& r) { return plan_zeroth_order(r, {}); };
  measured.forward_many = seconds(measured.many, plan_forward);
  measured.forward_few = seconds(measured.few, plan_forward);
  measured.zeroth_order_few = seconds(measured.few, mezo);
  const MachineRates found = fit_rates(measured);
  EXPECT_NEAR(found.bf16_flops / truth.bf16_flops, 1, 1e-9);
  EXPECT_NEAR(found.plain_weights / truth.plain_weights, 1, 1e-9);
  EXPECT_NEAR(found.panel_weights / truth.panel_weights, 1, 1e-9);
  EXPECT_NEAR(found.update_weights / truth.update_weights, 1, 1e-9);
  EXPECT_EQ(found.f32_flops, truth.f32_flops);
  measured.forward_few = measured.forward_many * 2;  // times that make no sense change nothing
  EXPECT_EQ(fit_rates(measured).bf16_flops, smollm().rates.bf16_flops);
}

TEST(Plan, StoredRatesAreUsedWhenTheyAreWhole) {
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string kept = before == nullptr ? "" : before;
  const auto folder = std::filesystem::temp_directory_path() / ("frugal_rates_" + std::to_string(::getpid()));
  ::setenv("XDG_CACHE_HOME", folder.c_str(), 1);
  const double built_in = machine_rates().bf16_flops;
  MachineRates rates;
  rates.bf16_flops = 1.5e9;
  store_rates(rates);
  EXPECT_EQ(machine_rates().bf16_flops, 1.5e9);
  for (const char* text : {"", "{", "[]", "{\"processor\": \"other\", \"bf16_flops\": 1}", "null"}) {
    std::ofstream(rates_file()) << text;
    EXPECT_EQ(machine_rates().bf16_flops, built_in) << text;
  }
  Json broken = rates_json(rates);
  broken["update_weights"] = -1;
  std::ofstream(rates_file()) << broken.dump();
  EXPECT_EQ(machine_rates().bf16_flops, built_in);
  std::filesystem::remove_all(folder);
  before == nullptr ? ::unsetenv("XDG_CACHE_HOME") : ::setenv("XDG_CACHE_HOME", kept.c_str(), 1);
}

TEST(Plan, TokensOfAStepOfNaturalLengths) {
  PlanRequest r = smollm();
  r.batch = 16;
  r.length = 200;
  EXPECT_EQ(tokens_of_step(r), 3200u);
  r.mean_length = 200;
  EXPECT_EQ(tokens_of_step(r), 3200u);
  r.mean_length = 30;
  r.length_deviation = 10;
  EXPECT_EQ(tokens_of_step(r), 16u * 30 + 5 * 10 * 4);
  r.length_deviation = 1000;
  EXPECT_EQ(tokens_of_step(r), 3200u);  // never more than all of the longest
  r.batch = 1;
  r.length_deviation = 0;
  EXPECT_EQ(tokens_of_step(r), 200u);  // nor less than the longest alone
}

TEST(Plan, ClosedFormOfAZerothOrderStep) {
  const PlanRow row = row_of(smollm(), "mezo");
  // 28,311,552 embedding + 30 x (331,776 + 2 x 110,592 + 331,776 + 3 x 884,736) in linears, 61 gains of 576 in fp32.
  EXPECT_EQ(part(row, "weights"), 2ull * (28311552 + 30ull * 3538944) + 4ull * 61 * 576);
  // Two branches of one layer's linears, bf16; two blocks of 2,048 rows of the head are fewer and take their place.
  EXPECT_EQ(part(row, "scratch"), 2ull * 2 * 3538944);
  // 1,024 tokens: residual fp32, 960 of q k v, 576 of attention; sines and cosines of 32 angles.
  EXPECT_EQ(part(row, "activations"), 2ull * 1024 * (576 * 4 + (960 + 576) * 2) + 1024ull * 64 * 4);
  // Two threads: a chunk of 512 tokens, the wider of norm-to-down (2 x 576 + 2 x 1,536) and a block of logits;
  // attention's result for one sequence; 4 MiB inside LibTorch.
  EXPECT_EQ(part(row, "threads"), 2ull * (512 * 4224 * 2 + 128 * 576 * 2 + 4 * kMiB));
  EXPECT_EQ(part(row, "libtorch"), kLibTorchFloor);
  std::uint64_t sum = 0;
  for (const PlanPart& p : row.parts) sum += p.bytes;
  EXPECT_EQ(row.peak, sum);
  // Beside weights and LibTorch a step of 8 x 128 tokens takes at most 128 MiB.
  EXPECT_LT(row.peak - part(row, "weights") - kLibTorchFloor - kLibTorchCode, 128 * kMiB);
}

// Peaks (VmHWM) of `frugal bench step --batch 8 --length 128` in fp32 on two cores; random tokens need no tokenizer.
// The plan may be wrong by a tenth of what comes on top of LibTorch, on the safe side here.
TEST(Plan, AgreesWithMeasuredPeaks) {
  PlanRequest r = smollm();
  r.bf16_compute = false;
  for (const auto& [method, measured] : {std::pair("eval", 444'555'264.0), {"mezo", 477'286'400.0}}) {
    const PlanRow row = row_of(r, method);
    const double planned = static_cast<double>(row.peak - part(row, "tokenizer"));
    EXPECT_GE(planned, measured) << method;
    EXPECT_LE(planned - measured, 0.1 * (measured - static_cast<double>(kLibTorchFloor))) << method;
  }
}

TEST(Plan, WhatMasksAndWidthsAdd) {
  PlanRequest r = smollm();
  EXPECT_EQ(row_of(r, "sparse-mezo").peak, row_of(r, "mezo").peak);
  EXPECT_EQ(row_of(r, "sparse-mezo", {.has_mask = true}).peak - row_of(r, "mezo").peak,
            (28311552 + 30ull * 3538944) / 8);
  r.weights = WeightType::f32;
  EXPECT_EQ(part(row_of(r, "mezo"), "weights"), 4ull * (28311552 + 30ull * 3538944) + 4ull * 61 * 576);
  r.shape.tied_embeddings = false;
  EXPECT_EQ(part(row_of(r, "mezo"), "weights"), 4ull * (2 * 28311552ull + 30ull * 3538944) + 4ull * 61 * 576);
}

// Steps of wide layers make the feed-forward in parts for both branches; an evaluation beside them makes one branch's
// whole, in a chunk of its own.
TEST(Plan, EvaluationsBesideStepsMakeWideLayersWhole) {
  PlanRequest r = smollm();
  constexpr std::uint64_t C = 4096, F = 11008, qkv = 3 * C * C;
  r.shape = shape_of(49152, C, 128, std::vector<LayerShape>(32, {32, 32, static_cast<std::int64_t>(F)}));
  const std::uint64_t width = 640;  // 32 MiB of gate, up and down for both branches
  const PlanRow steps = row_of(r, "mezo");
  EXPECT_EQ(part(steps, "scratch"), 2 * 2 * (qkv + C * C + 3 * width * C));
  EXPECT_EQ(part(steps, "threads"), 2 * (512 * (2 * C + 2 * width) * 2 + 128 * C * 2 + 4 * kMiB));
  r.evaluates = true;
  const PlanRow both = row_of(r, "mezo");
  EXPECT_EQ(part(both, "scratch"), 2 * (2 * qkv + C * C + 3 * F * C));
  EXPECT_EQ(part(both, "threads"), 2 * (256 * (2 * C + 2 * F) * 2 + 128 * C * 2 + 4 * kMiB));
  r.evaluates = r.all_tokens = false;  // label words are evaluated always
  EXPECT_GE(part(row_of(r, "mezo"), "scratch"), 2 * (2 * qkv + C * C + 3 * F * C));
}

TEST(Plan, StoredWeightsAreForEvaluationAlone) {
  PlanRequest r = smollm();
  r.weights = WeightType::stored;
  const auto rows = plan_methods(r);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(part(rows[0], "weights"), 98'000'000ull + 4 * 61 * 576);
  EXPECT_THROW(require_fit(plan_methods(r), r, "mezo"), Error);
  for (const WeightType type : {WeightType::bf16, WeightType::f32, WeightType::nf4, WeightType::stored})
    EXPECT_EQ(parse_weight_type(name(type)), type);
  EXPECT_THROW(parse_weight_type("int3"), Error);
}

TEST(Plan, NeverFallsWithBatchAndLength) {
  for (const bool all_tokens : {true, false}) {
    PlanRequest r = smollm();
    r.all_tokens = all_tokens;
    std::vector<PlanRow> before;
    for (std::int64_t size = 1; size <= 4096; size = size * 3 / 2 + 1) {
      for (std::int64_t PlanRequest::*member : {&PlanRequest::batch, &PlanRequest::length}) {
        PlanRequest smaller = r, larger = r;
        smaller.*member = size;
        larger.*member = size + 1;
        const auto a = plan_methods(smaller), b = plan_methods(larger);
        for (std::size_t i = 0; i < a.size(); ++i) {
          EXPECT_LE(a[i].peak, b[i].peak) << a[i].method << " " << size;
          EXPECT_LE(a[i].seconds_per_step, b[i].seconds_per_step) << a[i].method << " " << size;
        }
      }
    }
  }
}

// Label words are scored in parts of 1,024 tokens: a larger batch takes longer and no more memory.
TEST(Plan, LabelBatchesAreCut) {
  PlanRequest r = smollm();
  r.all_tokens = false;
  r.batch = 8;
  const PlanRow eight = row_of(r, "mezo");
  r.batch = 80;
  const PlanRow eighty = row_of(r, "mezo");
  EXPECT_EQ(eight.peak, eighty.peak);
  EXPECT_NEAR(eighty.seconds_per_step / eight.seconds_per_step, 10, 2);
  r.length = 8000;  // goes alone
  EXPECT_GT(row_of(r, "mezo").peak, eighty.peak);
}

TEST(Plan, FitsFlipsAtThePeak) {
  PlanRequest r = smollm();
  const std::uint64_t peak = row_of(r, "mezo").peak;
  r.memory = peak;
  EXPECT_TRUE(row_of(r, "mezo").fits);
  EXPECT_NO_THROW(require_fit(plan_methods(r), r, "mezo"));
  r.memory = peak - 1;
  const PlanRow row = row_of(r, "mezo");
  EXPECT_FALSE(row.fits);
  EXPECT_TRUE(row.what_gives.starts_with("--batch 7 -> ")) << row.what_gives;
  try {
    require_fit(plan_methods(r), r, "mezo");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::budget);
    EXPECT_NE(error.fix().find("--batch 7"), std::string::npos);
  }
}

// What is named does fit, and the next larger one does not.
TEST(Plan, WhatGivesIsTheLargestThatFits) {
  PlanRequest r = smollm();
  for (std::uint64_t memory = 480 * kMiB; memory < row_of(smollm(), "mezo").peak; memory += 7 * kMiB) {
    r.memory = memory;
    const std::string gives = row_of(r, "mezo").what_gives;
    PlanRequest changed = r;
    long long batch = 0, length = r.length;
    if (std::sscanf(gives.c_str(), "--batch %lld --length %lld", &batch, &length) < 1) {
      EXPECT_TRUE(gives.starts_with("--memory ")) << gives;
      changed.batch = 1;
      changed.length = 8;
      EXPECT_FALSE(row_of(changed, "mezo").fits);
      continue;
    }
    changed.batch = batch;
    changed.length = length;
    EXPECT_TRUE(row_of(changed, "mezo").fits) << gives;
    length == r.length ? changed.batch += 1 : changed.length += 8;
    EXPECT_FALSE(row_of(changed, "mezo").fits) << gives;
  }
}

TEST(Plan, EvaluationFallsBackOnStoredWeights) {
  PlanRequest r = smollm();
  r.memory = 350 * kMiB;
  EXPECT_TRUE(row_of(r, "eval").what_gives.starts_with("--weights stored")) << row_of(r, "eval").what_gives;
  EXPECT_TRUE(row_of(r, "mezo").what_gives.starts_with("--memory ")) << row_of(r, "mezo").what_gives;
}

TEST(Plan, BudgetsAreRound) {
  EXPECT_EQ(smallest_budget(612 * kMiB), 650 * kMiB);
  EXPECT_EQ(smallest_budget(634 * kMiB), 650 * kMiB);
  EXPECT_EQ(smallest_budget(634 * kMiB + 1), 700 * kMiB);
  EXPECT_EQ(smallest_budget(984 * kMiB), 1000 * kMiB);
  EXPECT_EQ(smallest_budget(985 * kMiB), 1024 * kMiB);
  EXPECT_EQ(smallest_budget(9000 * kMiB), 9216 * kMiB);
  EXPECT_EQ(smallest_budget(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(format_budget(700 * kMiB), "700MiB");
  EXPECT_EQ(format_budget(2048 * kMiB), "2GiB");
}

// Absurd headers: sizes stop at the largest number; nothing wraps to a plan that fits.
TEST(Plan, AbsurdShapesDoNotWrap) {
  PlanRequest r = smollm();
  r.shape.layers.assign(1'000'000, {9, 3, 1536});
  EXPECT_EQ(part(row_of(r, "mezo"), "weights"), 2 * (28311552 + 3538944'000'000ull) + 4ull * 2'000'001 * 576);
  r.memory = 1024 * kMiB;
  r.shape.layers.assign(1'000, {INT64_MAX, INT64_MAX, INT64_MAX});
  r.shape.hidden = r.shape.vocab = r.shape.head_dim = INT64_MAX;
  r.file_bytes = UINT64_MAX;
  for (const PlanRow& row : plan_methods(r)) {
    EXPECT_EQ(row.peak, UINT64_MAX);
    EXPECT_FALSE(row.fits);
    EXPECT_FALSE(row.what_gives.empty());
  }
  EXPECT_NE(plan_table(r, plan_methods(r)).find("years"), std::string::npos);
  r.batch = r.length = r.threads = INT64_MAX;
  EXPECT_FALSE(plan_methods(r)[0].fits);
  r = smollm();
  r.batch = r.length = INT64_MAX;
  r.memory = 1024 * kMiB;
  EXPECT_FALSE(row_of(r, "mezo").fits);
  r.shape = shape_of(-1, -1, -1, {{-1, -1, -1}});
  EXPECT_NO_THROW(plan_methods(r));
}

TEST(Saturating, StopsAtTheEnds) {
  EXPECT_EQ((Saturating(UINT64_MAX) + 1).count(), UINT64_MAX);
  EXPECT_EQ((Saturating(1ull << 40) * (1ull << 40)).count(), UINT64_MAX);
  EXPECT_EQ((Saturating(INT64_MAX) * 0).count(), 0u);
  EXPECT_EQ(Saturating(-5).count(), 0u);
  EXPECT_EQ((Saturating(6) * 7 + 1).count(), 43u);
}

// 2 branches x 2 x (106 M linears + 28 M head) x 1,024 tokens at 120 GFLOP/s on two threads, and twice through the
// weights.
TEST(Plan, SecondsAreWorkOverRates) {
  PlanRequest r = smollm();
  const double weights = 134479872, tokens = 1024, attention = 30 * 2 * tokens * 128 * 576;
  const double expected = 2 * (2 * weights * tokens + attention) / 120e9 + weights / 3.8e9 + weights / 2.6e9;
  EXPECT_NEAR(row_of(r, "mezo").seconds_per_step, expected, 1e-6 * expected);
  EXPECT_NEAR(row_of(r, "mezo", {.samples = 3}).seconds_per_step, 3 * expected, 1e-5 * expected);
}

TEST(Plan, TableIsAlignedAndComplete) {
  PlanRequest r = smollm();
  r.memory = 620 * kMiB;
  const std::string table = plan_table(r, plan_methods(r));
  std::vector<std::string> lines;
  for (std::size_t at = 0, end; (end = table.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(table.substr(at, end - at));
  ASSERT_EQ(lines.size(), 5u) << table;
  const std::size_t column = lines[0].find("fits 620 MiB");
  ASSERT_NE(column, std::string::npos) << table;
  for (int i = 1; i <= 3; ++i)
    EXPECT_TRUE(lines[i].substr(column).starts_with("yes") || lines[i].substr(column).starts_with("no: --")) << table;
  EXPECT_TRUE(lines[4].starts_with("the smallest round budget for mezo: --memory ")) << table;
  EXPECT_EQ(plan_table(r, {}), "");
}

TEST(Plan, JsonHoldsTheRows) {
  PlanRequest r = smollm();
  const Json json = plan_json(r, plan_methods(r));
  ASSERT_EQ(json["rows"].size(), 3u);
  EXPECT_EQ(json["rows"][1]["method"], "mezo");
  EXPECT_EQ(json["rows"][1]["peak"], row_of(r, "mezo").peak);
  EXPECT_EQ(parse_bytes(json["smallest_budget"].get<std::string>()).count, json["smallest_budget_bytes"]);
}

}  // namespace
}  // namespace frugal
