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

constexpr std::uint64_t kReserve = 16 << 20;  // the least there is

PlanRow row_of(const PlanRequest& request) { return plan_row({"eval", false, true, plan_forward}, request); }

// Weights as stored that do not fit are streamed: as many stay as there is room for, and the time is that of reading.
TEST(Plan, StoredWeightsAreStreamedWhereTheyDoNotFit) {
  PlanRequest r = smollm2_q4();
  r.weights = WeightType::stored;
  r.file_bytes = 4'000'000'000;
  r.file_window = 300'000'000;
  const std::uint64_t whole = peak_of(plan_forward(r)), others = whole - r.file_bytes;
  EXPECT_EQ(plan_forward(r).choices.file_window, 0u) << "no limit";
  r.memory = whole;
  EXPECT_EQ(plan_forward(r).choices.file_window, 0u) << "it fits";
  r.memory = 2'000'000'000;
  const MethodPlan plan = plan_forward(r);
  const auto window = plan.choices.file_window;
  EXPECT_EQ(peak_of(plan), r.memory) << "all the room there is";
  EXPECT_EQ(peak_of(plan), others + kReserve + window);
  EXPECT_GT(window, 1'500'000'000u);
  EXPECT_GE(plan.seconds_per_step, static_cast<double>(r.file_bytes - window) / 1e9);
  r.memory = others + kReserve + r.file_window;  // room for the least alone
  EXPECT_EQ(plan_forward(r).choices.file_window, r.file_window);
  EXPECT_TRUE(row_of(r).fits);
  EXPECT_NE(plan_table(r, {row_of(r)}).find("weights streamed"), std::string::npos);
  r.memory -= 1;
  EXPECT_FALSE(row_of(r).fits);
  EXPECT_EQ(row_of(r).peak, others + kReserve + r.file_window);
  const std::string gives = "--memory " + format_budget(smallest_budget(row_of(r).peak));
  EXPECT_TRUE(row_of(r).what_gives.ends_with(gives)) << row_of(r).what_gives;
  r.weights = WeightType::bf16;  // a copy of its own is not the file
  EXPECT_EQ(plan_forward(r).choices.file_window, 0u);
}

// The other terms may be wrong by a tenth of what lies above the process itself.
TEST(Plan, TheReserveGrowsWithTheRest) {
  PlanRequest r = smollm2_q4();
  r.weights = WeightType::stored;
  r.shape.hidden = 8192;
  r.batch = 64;
  r.file_bytes = 40'000'000'000;
  r.file_window = 300'000'000;
  const std::uint64_t others = peak_of(plan_forward(r)) - r.file_bytes;
  const std::uint64_t reserve = (others - r.floor - kLibTorchCode) / 10;
  ASSERT_GT(reserve, kReserve);
  r.memory = others + reserve + r.file_window;
  EXPECT_TRUE(row_of(r).fits);
  r.memory -= 1;
  EXPECT_FALSE(row_of(r).fits);
}

// The smallest budget is with as little of the file resident as streaming takes, also where no --memory is given.
TEST(Plan, TheSmallestBudgetStreams) {
  PlanRequest r = smollm2_q4();
  r.weights = WeightType::stored;
  r.file_bytes = 4'000'000'000;
  r.file_window = 300'000'000;
  const PlanRow row = row_of(r);
  const std::uint64_t least = row.peak - r.file_bytes + kReserve + r.file_window;
  EXPECT_EQ(row.least, least);
  EXPECT_GT(row.peak, r.file_bytes) << "without a budget all may stay";
  const Json json = plan_json(r, {row});
  EXPECT_EQ(json["smallest_budget_bytes"], smallest_budget(least));
  EXPECT_EQ(json["rows"][0]["smallest_budget_bytes"], smallest_budget(least));
  const std::string budget = format_budget(smallest_budget(least)), table = plan_table(r, {row});
  EXPECT_NE(table.find(budget + ", weights streamed"), std::string::npos) << table;
  EXPECT_NE(table.find("for eval: --memory " + budget), std::string::npos) << table;
  r.memory = smallest_budget(least);
  EXPECT_TRUE(row_of(r).fits);
  EXPECT_EQ(row_of(r).least, least) << "the same whatever the budget";

  FirstOrderPlan lora;
  lora.trained = lora.gradients = 1'000'000;
  lora.beside = 4'000'000;
  const auto first_order = [&](const PlanRequest& request) { return plan_first_order(request, lora, "auto"); };
  const Planner planner = {"lora", true, true, first_order};
  r.memory = 0;
  const PlanRow kept = plan_row(planner, r);
  EXPECT_EQ(kept.choices.activations, "keep");
  r.memory = smallest_budget(kept.least);
  EXPECT_TRUE(plan_row(planner, r).fits);
  EXPECT_EQ(plan_row(planner, r).least, kept.least);

  r.memory = 0;
  r.file_window = r.file_bytes - 1;  // with the reserve more than the file
  EXPECT_EQ(row_of(r).least, row_of(r).peak);
  r.file_window = 300'000'000;
  r.weights = WeightType::bf16;
  EXPECT_EQ(row_of(r).least, row_of(r).peak);
}

}  // namespace
}  // namespace frugal
