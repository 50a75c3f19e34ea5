#include <gtest/gtest.h>

#include "frugal/plan/plan.h"

namespace frugal {
namespace {

PlanRequest smollm2_q4() {
  PlanRequest r;
  r.shape.vocab = 49152;
  r.shape.hidden = 576;
  r.shape.head_dim = 64;
  r.shape.layers.assign(30, {9, 3, 1536});
  r.shape.tied_embeddings = true;
  r.bf16_compute = r.all_tokens = true;
  r.rates = {};
  return r;
}

PlanRow row_of(const PlanRequest& request) { return plan_row({"eval", false, true, plan_forward}, request); }

// Weights as stored that do not fit are streamed: as many stay as there is room for, and the time is that of reading.
TEST(Plan, StoredWeightsAreStreamedWhereTheyDoNotFit) {
  PlanRequest r = smollm2_q4();
  r.weights = "stored";
  r.file_bytes = 4'000'000'000;
  r.file_window = 300'000'000;
  const std::uint64_t whole = peak_of(plan_forward(r)), others = whole - r.file_bytes;
  EXPECT_FALSE(plan_forward(r).choices.contains("file_window")) << "no limit";
  r.memory = whole;
  EXPECT_FALSE(plan_forward(r).choices.contains("file_window")) << "it fits";
  r.memory = 2'000'000'000;
  const MethodPlan plan = plan_forward(r);
  const auto window = plan.choices["file_window"].get<std::uint64_t>();
  EXPECT_EQ(peak_of(plan), others + window);
  EXPECT_LE(peak_of(plan) + (16 << 20), r.memory);
  EXPECT_GT(window, 1'500'000'000u);
  EXPECT_GE(plan.seconds_per_step, static_cast<double>(r.file_bytes - window) / 1e9);
  r.memory = others + r.file_window;  // room for the least alone
  EXPECT_EQ(plan_forward(r).choices["file_window"], r.file_window);
  EXPECT_TRUE(row_of(r).fits);
  EXPECT_NE(plan_table(r, {row_of(r)}).find("weights streamed"), std::string::npos);
  r.memory -= 1;
  EXPECT_FALSE(row_of(r).fits);
  r.weights = "bf16";  // a copy of its own is not the file
  EXPECT_FALSE(plan_forward(r).choices.contains("file_window"));
}

}  // namespace
}  // namespace frugal
