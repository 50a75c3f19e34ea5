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
  const Json& regrets = values.at("regrets");
  EXPECT_EQ(regrets.size(), policies().all().size());
  EXPECT_EQ(regrets.begin().key(), "ols-ucb-c");
  for (const auto& [name, value] : regrets.items()) EXPECT_GT(value.get<double>(), 0) << name;
  // What progress says: "round 400: regret ols-ucb-c 12.34, ...".
  EXPECT_EQ(values.at("data"), "regret");
  EXPECT_TRUE(whole->shown(values).starts_with(" ols-ucb-c ")) << whole->shown(values);
  EXPECT_EQ(whole->step_unit().name, "round");
  EXPECT_EQ(whole->step_unit().at(whole->steps()), 400);
  std::vector<std::string> names;
  for (const Json& event : figures.take()) names.push_back(event.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"regret", "items", "policies"}));
}

// One figure with all policies; on a logarithmic axis where the best and the worst are more than a factor of 20 apart.
TEST(BanditJob, RegretsFarApartAreDrawnOnALogarithmicAxis) {
  for (const bool is_far : {false, true}) {
    BanditRunConfig c = config(
        is_far ? std::vector<std::string>{"cos-v", "action-ucb"} : std::vector<std::string>{"cucb", "escb-2"}, 1);
    c.horizon = 8000;
    const auto run = job(to_json(c));
    for (std::int64_t k = 0; k < run->steps(); ++k) run->step(k);
    Figures figures;
    const Json regrets = run->evaluate(run->steps(), figures).at("regrets");
    const Json figure = figures.take().at(0);
    EXPECT_EQ(figure.value("log_y", false), is_far) << regrets.dump();
    EXPECT_EQ(figure.at("series").size(), 2u);
    EXPECT_EQ(figure.at("y"), "reward");
  }
}

TEST(BanditJob, SaysHowOftenALogWasGoneThrough) {
  const TemporaryFile log("passes.csv");
  std::string text;
  for (int round = 0; round < 30; ++round) {
    for (int item = 0; item < 4; ++item) text += std::to_string(round) + "," + std::to_string(item) + ",0.5\n";
  }
  write_file(log.path(), text);
  BanditRunConfig c = config({"cucb", "cos-v"}, 2);
  c.problem = {};
  c.environment.env = "replay:" + log.path();
  c.horizon = 100;
  Simulation simulation(c, 1);
  EXPECT_EQ(simulation.passes(0), 0);
  simulation.advance(30, 1);
  EXPECT_EQ(simulation.passes(0), 1);
  simulation.advance(70, 1);
  EXPECT_EQ(simulation.passes(1), 4);
  EXPECT_EQ(Simulation(config({"cucb"}), 1).passes(0), 0);  // of no log
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
