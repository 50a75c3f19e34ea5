// The loop over a job of a few numbers: stopped at every step and resumed it ends with the same bits; the best step,
// the log of a job that replays, what is refused.
#include "frugal/train/loop/tests/walk.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

TEST_F(LoopTest, StoppedAtEachStepAndResumedEndsWithTheSameBits) {
  for (const bool replays : {false, true}) {
    const std::string whole = replays ? "whole-r" : "whole";
    ASSERT_EQ(run({{"out", at(whole)}, {"replays", replays}}), 0);
    Json expected = record(whole)["results"];
    for (std::int64_t stop = 1; stop < 12; ++stop) {
      const std::string name = whole + std::to_string(stop);
      Walk::stop_after = stop;
      EXPECT_EQ(run({{"out", at(name)}, {"replays", replays}}), 130);
      EXPECT_EQ(record(name)["status"], "interrupted");
      Walk::stop_after = -1;
      reset_interrupt();
      ASSERT_EQ(run({{"resume", at(name)}}), 0) << said_;
      Json found = record(name)["results"];
      for (const char* key : {"end", "best", "best_at", "length", "state_sha256", "steps"})
        EXPECT_EQ(found[key], expected[key]) << key << " stopped after " << stop;
    }
  }
}

// A run that goes on with more steps is the run that had them from the beginning, wherever it stood.
TEST_F(LoopTest, ALegGoesOnWithMoreSteps) {
  for (const bool replays : {false, true}) {
    const std::string whole = replays ? "whole-r" : "whole", name = replays ? "r" : "n";
    ASSERT_EQ(run({{"out", at(whole)}, {"replays", replays}}), 0);
    ASSERT_EQ(run({{"out", at(name)}, {"replays", replays}, {"steps", 5}}), 0);
    Walk::stop_after = 9;
    ASSERT_EQ(run({{"resume", at(name)}}, {{"steps", 10}}), 130) << said_;
    Walk::stop_after = -1;
    reset_interrupt();
    ASSERT_EQ(run({{"resume", at(name)}}), 0) << said_;
    ASSERT_EQ(run({{"resume", at(name)}}, {{"steps", 12}}), 0) << said_;
    const Json found = record(name);
    for (const char* key : {"end", "state_sha256", "steps", "mean"})
      EXPECT_EQ(found["results"][key], record(whole)["results"][key]) << key;
    ASSERT_EQ(found["legs"].size(), 2u);
    EXPECT_EQ(found["legs"][0]["from"], 5);
    EXPECT_EQ(found["legs"][1]["from"], 10);
    EXPECT_EQ(found["settings"]["steps"], 12);
    EXPECT_EQ(run({{"resume", at(name)}}, {{"steps", 3}}), 2) << "fewer than it has taken";
    EXPECT_EQ(record(name), found) << "a refused leg changes nothing";
  }
}

TEST_F(LoopTest, EndsWhereNoEvaluationIsBetterAnyMore) {
  ASSERT_EQ(run({{"out", at("r")}, {"falls", true}, {"eval_every", 2}, {"patience", 2}}), 0);
  const Json results = record("r")["results"];
  EXPECT_EQ(results["steps"], 4) << "it only falls: the first evaluation is the best, two more are not";
  EXPECT_EQ(results["stopped_early"], true);
  EXPECT_EQ(results["best"]["step"], 0);
  ASSERT_EQ(run({{"resume", at("r")}}, {{"patience", 0}}), 0) << said_;
  EXPECT_EQ(record("r")["results"]["steps"], 12);
  EXPECT_FALSE(record("r")["results"].contains("stopped_early"));
}

// The best step is that of the highest metric, and its state is what is put back.
TEST_F(LoopTest, PutsTheBestStepBack) {
  ASSERT_EQ(run({{"out", at("r")}, {"eval_every", 1}}), 0);
  double highest = -1;
  std::int64_t step = 0;
  for (const Json& event : events_of_run(folder_ / "r").events) {
    if (event["event"] == "eval" && event["height"] > highest) highest = event["height"], step = event["step"];
  }
  const Json results = record("r")["results"];
  EXPECT_EQ(results["best"]["step"], step);
  EXPECT_EQ(results["best"]["metric"], highest);
  EXPECT_EQ(results["best_at"], highest);
  EXPECT_EQ(results["length"], step) << "the history is as long as it was then";
}

// A job that cuts its steps by itself is counted in what it cuts them from, in progress and in the record.
TEST_F(LoopTest, CountsInTheUnitOfTheJob) {
  EXPECT_EQ((StepUnit{.name = "round", .each = 100, .last = 1150}).at(11), 1100);
  EXPECT_EQ((StepUnit{.name = "round", .each = 100, .last = 1150}).at(12), 1150);
  EXPECT_EQ((StepUnit{.name = "epoch", .per = 4}).at(6), 1.5);
  Walk::unit = {.name = "round", .each = 100, .last = 1150};
  set_quiet(false);
  testing::internal::CaptureStderr();
  ASSERT_EQ(run({{"out", at("r")}, {"eval_every", 6}}), 0);
  const std::string said = testing::internal::GetCapturedStderr();
  Walk::unit = {};
  for (const char* part : {"round 600: dev", "round 1150: dev"}) EXPECT_NE(said.find(part), std::string::npos) << said;
  EXPECT_EQ(record("r")["step_unit"]["each"], 100);
  ASSERT_EQ(run({{"out", at("plain")}}), 0);
  EXPECT_FALSE(record("plain").contains("step_unit"));
}

TEST_F(LoopTest, PutsTheStartBackWhereItIsTheBest) {
  for (const char* kind : {"plain", "restarts", "replays"}) {
    Json settings = {{"out", at(kind)}, {"falls", true}};
    if (kind != std::string("plain")) settings[kind] = true;
    ASSERT_EQ(run(settings), 0) << kind << ": " << said_;
    const Json results = record(kind)["results"];
    EXPECT_EQ(results["best"]["step"], 0) << kind;
    EXPECT_EQ(results["best_at"], 0) << kind;
    EXPECT_EQ(results["length"], 0) << kind;
  }
  Walk::stop_after = 7;  // and after it has gone on
  EXPECT_EQ(run({{"out", at("r")}, {"falls", true}}), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  ASSERT_EQ(run({{"resume", at("r")}}), 0) << said_;
  EXPECT_EQ(record("r")["results"]["best_at"], 0);
}

// A step that throws has changed the state in part: it is no state of the run.
TEST_F(LoopTest, SavesNoHalfStep) {
  ASSERT_EQ(run({{"out", at("whole")}}), 0);
  Walk::throws_after = 8;
  EXPECT_EQ(run({{"out", at("r")}}), 130);
  Walk::throws_after = -1;
  EXPECT_EQ(SnapshotStore(folder_ / "r/snapshots").steps().back(), 6);
  ASSERT_EQ(run({{"resume", at("r")}}), 0) << said_;
  EXPECT_EQ(record("r")["results"]["state_sha256"], record("whole")["results"]["state_sha256"]);
}

// What was never saved is taken again: a process that is killed loses steps, not the run.
TEST_F(LoopTest, GoesOnFromTheNewestWholeSnapshot) {
  ASSERT_EQ(run({{"out", at("whole")}}), 0);
  Walk::stop_after = 8;
  run({{"out", at("r")}});
  Walk::stop_after = -1;
  reset_interrupt();
  const SnapshotStore snapshots(folder_ / "r/snapshots");
  const auto newest = snapshots.path_of(snapshots.steps().back());
  std::string bytes = read_file(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_file(newest, bytes);
  ASSERT_EQ(run({{"resume", at("r")}}), 0);
  EXPECT_EQ(record("r")["results"]["state_sha256"], record("whole")["results"]["state_sha256"]);
}

TEST_F(LoopTest, EndsWhereNothingIsFiniteAnyMore) {
  EXPECT_EQ(run({{"out", at("r")}, {"steps", 60}, {"fails_at", 5}}), static_cast<int>(Exit::diverged));
  EXPECT_EQ(said_, "the height was not finite in 20 steps in a row");
  EXPECT_EQ(record("r")["status"], "diverged");
}

TEST_F(LoopTest, AShortRunThatBreaksAtOnceHasDiverged) {
  EXPECT_EQ(run({{"out", at("r")}, {"steps", 8}, {"fails_at", 1}}), static_cast<int>(Exit::diverged));
  EXPECT_EQ(said_, "the height was not finite in 7 steps in a row");
}

// What follows a step that was not finite is no best step; skipped steps of all processes count.
TEST_F(LoopTest, ABrokenStateIsNotTheBest) {
  const Json settings = {{"steps", 14}, {"fails_at", 6}, {"eval_every", 1}};
  Json whole = settings, cut = settings;
  whole["out"] = at("whole"), cut["out"] = at("r");
  ASSERT_EQ(run(whole), 0) << said_;
  const Json expected = record("whole")["results"];
  EXPECT_LE(expected["best"]["step"], 6);
  EXPECT_EQ(expected["skipped"], 8);
  Walk::stop_after = 5;
  EXPECT_EQ(run(cut), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  ASSERT_EQ(run({{"resume", at("r")}}), 0) << said_;
  EXPECT_EQ(record("r")["results"]["best"], expected["best"]);
  EXPECT_EQ(record("r")["results"]["skipped"], 8);
}

TEST_F(LoopTest, StopsAtItsBudgetAndSaves) {
  EXPECT_EQ(run({{"out", at("r")}, {"memory", 1 << 20}}), static_cast<int>(Exit::budget));
  EXPECT_EQ(record("r")["status"], "interrupted");
  ASSERT_EQ(run({{"resume", at("r")}, {"memory", 0}}), 0);
}

TEST_F(LoopTest, RefusesAnotherActionsRun) {
  JobTable other;
  ASSERT_EQ(run({{"out", at("r")}}), 0);
  EXPECT_THROW(run_job(*table().find_job("walk"), {"swarm train", {{"resume", at("r")}, {"json", true}}}), Error);
}

TEST_F(LoopTest, KeepsItsFiguresInTheLog) {
  ASSERT_EQ(run({{"out", at("r")}}), 0);
  std::size_t figures = 0;
  for (const Json& event : events_of_run(folder_ / "r").events) {
    if (event["event"] != "figure") continue;
    ++figures;
    EXPECT_EQ(event["series"][0]["y"].size(), event["step"].get<std::size_t>());
  }
  EXPECT_EQ(figures, 5u) << "before the first step and after each three";
}

TEST(Table, RefusesTwoOfOneName) {
  JobTable all = table();
  EXPECT_THROW(
      all.job<WalkConfig>("walk", [](const WalkConfig& c, const JobContext&) { return std::make_unique<Walk>(c); }),
      Error);
}

TEST(State, RefusesAPartOfAnotherSize) {
  std::vector<double> list;
  State known({{"list", 24}});
  known.list("list", list);
  EXPECT_EQ(list.size(), 3u);
  State odd({{"list", 25}});
  EXPECT_THROW(odd.list("list", list), Error);
  EXPECT_THROW(odd.list("other", list), Error);
}

}  // namespace
}  // namespace frugal
