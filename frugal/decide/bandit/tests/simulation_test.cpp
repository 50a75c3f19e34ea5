// Runs as a whole: what is claimed of regrets at a small size, threads, resuming.
#include "frugal/decide/bandit/simulation.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/atomic_file.h"
#include "frugal/decide/bandit/tests/helpers.h"
#include "frugal/train/loop/job_table.h"

namespace frugal {
void register_job_decide_bandit(JobTable& table);
}

namespace frugal::bandit {
namespace {

BanditRunConfig config(std::vector<std::string> policies, std::int64_t seeds = 3) {
  BanditRunConfig c{.policy = std::move(policies)};
  c.problem.items = 10;
  c.problem.choose = 3;
  c.seeds = seeds;
  return c;
}

// The acceptance's comparison at a quarter of its rounds, where the learning phase weighs more.
TEST(Simulation, VarianceAdaptationCutsRegret) {
  Simulation simulation(config({"ols-ucb-c", "cos-v", "cucb", "escb-2"}, 4), 1);
  simulation.advance(5'000, 2);
  const auto mean = [&](std::size_t p) { return spread_of(simulation.regrets(p)).mean; };
  EXPECT_LT(mean(0), 0.6 * mean(2));
  EXPECT_LT(mean(0), 0.6 * mean(3));
  EXPECT_LT(mean(1), 0.35 * mean(2));
  EXPECT_GT(mean(1), 0);  // nobody wins against the best action in hindsight of the means
}

TEST(Simulation, ThreadsDoNotMatter) {
  Simulation one(config({"all"}), 5), four(config({"all"}), 5);
  for (int k = 0; k < 3; ++k) one.advance(200, 1), four.advance(200, 4);
  for (std::size_t p = 0; p < one.policies(); ++p) EXPECT_EQ(one.regrets(p), four.regrets(p)) << one.name(p);
}

TEST(Simulation, RegretIsThatOfThePlays) {
  Simulation simulation(config({"cts-beta"}, 1), 3);
  simulation.advance(500, 1);
  const auto means = simulation.environment(0).means();
  std::vector<double> sorted(means.begin(), means.end());
  std::sort(sorted.rbegin(), sorted.rend());
  double regret = 500 * (sorted[0] + sorted[1] + sorted[2]);
  for (std::int32_t i = 0; i < 10; ++i)
    regret -= simulation.player(0, 0).statistics().plays(i) * means[static_cast<std::size_t>(i)];
  EXPECT_NEAR(simulation.regrets(0)[0], regret, 1e-9 * 500);
}

TEST(Simulation, RefusesALogThatLacksItems) {
  const TemporaryFile file("short.csv");
  write_file(file.path(), "0,0,0.5\n0,1,0.5\n0,3,0.5\n");
  BanditRunConfig c = config({"cucb"});
  c.environment.env = "replay:" + file.path();
  c.problem.items = 0;
  EXPECT_NE(error_of([&] { Simulation(c, 1); }).second.find("item 2 has 0 rewards"), std::string::npos);
  c.problem.items = 2, c.problem.choose = 1;
  EXPECT_NE(error_of([&] { Simulation(c, 1); }).second.find("items up to 3"), std::string::npos);
}

Json settings(std::int64_t horizon, std::int64_t seeds) {
  BanditRunConfig c = config({"all"}, seeds);
  c.horizon = horizon;
  return to_json(c);
}

std::unique_ptr<Job> job(const Json& settings, std::int64_t threads = 2) {
  JobTable table;
  register_job_decide_bandit(table);
  JobContext context;
  context.run.threads = threads;
  return (*table.find_job("bandit run"))(settings, context);
}

struct JobState {
  Job& job;
  std::int64_t step;
  void state(State& state, const std::string&) { job.state(state, step); }
};

TEST(BanditJob, GoesOnFromItsStateAsIfNeverStopped) {
  const Json s = settings(1'010, 2);  // 169 steps of 6 rounds, the last of 2
  const auto whole = job(s), resumed = job(s, 1);
  ASSERT_EQ(whole->steps(), 169);
  Saved middle, end, again;
  for (std::int64_t k = 0; k < whole->steps(); ++k) {
    if (k == 57) {
      JobState at{*whole, k};
      middle.take(at);
    }
    EXPECT_TRUE(std::isfinite(whole->step(k).value));
  }
  JobState whole_end{*whole, whole->steps()}, resumed_middle{*resumed, 57}, resumed_end{*resumed, whole->steps()};
  end.take(whole_end);
  middle.put(resumed_middle);
  for (std::int64_t k = 57; k < resumed->steps(); ++k) resumed->step(k);
  again.take(resumed_end);
  EXPECT_EQ(end.parts, again.parts);
}

TEST(BanditJob, EvaluationHasRegretsAndFigures) {
  const auto whole = job(settings(400, 3));
  for (std::int64_t k = 0; k < whole->steps(); ++k) whole->step(k);
  Figures figures;
  const Json values = whole->evaluate(whole->steps(), figures);
  EXPECT_EQ(values.size(), policies().all().size());
  EXPECT_EQ(values.begin().key(), "ols-ucb-c");
  for (const auto& [name, value] : values.items()) EXPECT_GT(value.get<double>(), 0) << name;
  std::vector<std::string> names;
  for (const Json& event : figures.take()) names.push_back(event.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"regret", "items", "policies"}));
}

TEST(BanditJob, FilesAreNamedWholeWithTheirHashes) {
  const TemporaryFile log("described.csv");
  write_file(log.path(), "0,0,0.5\n0,1,0.25\n0,2,0.75\n");
  BanditRunConfig c = config({"cucb"}, 1);
  c.problem = {};
  c.environment.env = "replay:" + std::filesystem::relative(log.path()).string();
  Json s = to_json(c);
  const Json files = job(s)->describe(s).at("files");
  EXPECT_EQ(s.at("env"), "replay:" + log.path());
  EXPECT_EQ(files.at("log").at("path"), log.path());
  EXPECT_EQ(files.at("log").at("sha256").get<std::string>().size(), 64u);
  EXPECT_EQ(files.size(), 1u);
}

TEST(BanditJob, GrowthIsWhatTheStateGrowsBy) {
  const auto run = job(settings(600, 2));
  const auto bytes = [&] {
    State state;
    run->state(state, 0);
    std::uint64_t sum = 0;
    for (const auto& part : state.parts()) sum += part.bytes.size();
    return sum;
  };
  const std::uint64_t before = bytes();
  for (std::int64_t k = 0; k < 50; ++k) run->step(k);
  EXPECT_EQ(bytes() - before, run->growth_bytes(50));
}

}  // namespace
}  // namespace frugal::bandit
