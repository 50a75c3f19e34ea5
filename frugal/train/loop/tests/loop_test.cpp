// The loop over a job of a few numbers: stopped at every step and resumed it ends with the same bits; the best step,
// the log of a job that replays, what is refused.
#include "frugal/train/loop/loop.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/json_text.h"
#include "frugal/base/log.h"
#include "frugal/base/philox.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

struct WalkConfig {
  std::int64_t steps = 12, seed = 1, fails_at = -1;
  bool replays = false, falls = false, restarts = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "steps", .help = "steps"}, c.steps);
    v({.name = "seed", .help = "seed"}, c.seed);
    v({.name = "fails_at", .help = "from this step on nothing is finite"}, c.fails_at);
    v({.name = "replays", .help = "steps repeat from a log"}, c.replays);
    v({.name = "falls", .help = "every step goes down"}, c.falls);
    v({.name = "restarts", .help = "it puts back its start by itself"}, c.restarts);
  }
};

// A random walk that remembers where it was: its state grows by a number a step.
class Walk : public Job, private Replay {
 public:
  explicit Walk(const WalkConfig& c) : config_(c) {}
  std::int64_t steps() const override { return config_.steps; }
  StepResult step(std::int64_t index) override {
    if (config_.fails_at >= 0 && index >= config_.fails_at) return {.value = INFINITY, .skipped = true};
    PhiloxSequence random(philox_key(static_cast<std::uint64_t>(config_.seed), static_cast<std::uint64_t>(index)),
                          named_stream("test.walk"));
    const auto by = static_cast<float>(random.uniform() - (config_.falls ? 1.0 : 0.5));
    move(by);
    if (throws_after == index + 1) throw Error(Exit::interrupted, "in the middle of a step", "go on");
    StepResult result{.value = at_, .event = {{"at", at_}}};
    if (config_.replays) result.record = StepRecord{static_cast<std::uint32_t>(index), false, 0, {by}};
    if (stop_after == index + 1) ::raise(SIGINT);
    return result;
  }
  void state(State& state, std::int64_t) override {
    state.value("at", at_);
    state.list("path", path_);
  }
  Json evaluate(std::int64_t step, Figures& figures) override {
    figures.add(Figure{.name = "path",
                       .title = "Path",
                       .x_name = "step",
                       .y_name = "at",
                       .series = {{"walk", std::vector<double>(path_.size(), static_cast<double>(step)), path_}}});
    return {{"height", at_}, {"loss", -at_}};
  }
  std::optional<Judge> judge() const override { return Judge{"height", true}; }
  Finished finish(Ending& ending) override {
    finished_at = at_;
    if (ending.best) ending.restore(ending.best->step);
    return {.results = {{"end", finished_at}, {"best_at", at_}, {"length", path_.size()}}};
  }
  std::string identity() override { return std::string(64, 'a'); }
  Replay* replay() override { return config_.replays ? this : nullptr; }
  const char* value_name() const override { return "height"; }

  bool restarts() const override { return config_.restarts || config_.replays; }
  void restart() override { at_ = 0, path_.clear(); }

  StepUnit step_unit() const override { return unit; }

  static inline std::int64_t stop_after = -1, throws_after = -1;
  static inline StepUnit unit = {};

 private:
  std::size_t record_size() const override { return 1; }
  Json header() const override { return {{"base_sha256", std::string(64, 'a')}}; }
  void replay(const StepRecord& record) override { move(record.gradients[0]); }
  void move(float by) {
    at_ += static_cast<double>(by);
    path_.push_back(at_);
  }
  WalkConfig config_;
  double at_ = 0, finished_at = 0;
  std::vector<double> path_;
};

JobTable table() {
  JobTable all;
  all.job<WalkConfig>("walk", [](const WalkConfig& c, const JobContext&) { return std::make_unique<Walk>(c); });
  return all;
}

class LoopTest : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    catch_interrupts();
    reset_interrupt();
    Walk::stop_after = Walk::throws_after = -1;
  }
  void TearDown() override { reset_interrupt(); }
  int run(const Json& more) const {
    testing::internal::CaptureStdout();
    Json settings = {{"json", true}, {"checkpoint_every", 3}};
    settings.update(more);
    int code = 0;
    try {
      code = run_job(*table().find_job("walk"), {"walk", settings});
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
      said_ = error.what();
    }
    testing::internal::GetCapturedStdout();
    return code;
  }
  Json record(const std::string& name) const { return RunFolder::read_record(folder_ / name); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  TemporaryFolder folder_;
  mutable std::string said_;
};

// A damaged line is refused where the run needs it, cut where its steps are taken again, and passed over on trust.
TEST_F(LoopTest, DamagedEventsAreNamedOrCut) {
  ASSERT_EQ(run({{"out", at("whole")}, {"falls", true}}), 0);
  const Json expected = record("whole")["results"];
  Walk::stop_after = 8;
  ASSERT_EQ(run({{"out", at("stopped")}, {"falls", true}}), 130);
  Walk::stop_after = -1;
  reset_interrupt();
  const fs::path events = folder_ / "stopped/events.jsonl";
  const std::string text = read_file(events);
  const auto line_of = [&](const std::string& what) { return text.find(what); };
  const auto damaged = [&](std::size_t place) {
    std::string other = text;
    other[place + 12] ^= 1;
    write_file(events, other);
  };
  damaged(line_of(R"({"event":"step","step":5)"));
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);
  EXPECT_NE(said_.find("events.jsonl is damaged"), std::string::npos) << said_;
  write_file(events, "");  // the snapshot of step 8 was written behind them
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);
  EXPECT_NE(said_.find("ends with step 0"), std::string::npos) << said_;
  fs::remove(events);
  EXPECT_EQ(run({{"resume", at("stopped")}}), 3);

  fs::copy(folder_ / "stopped", folder_ / "trusted", fs::copy_options::recursive);
  damaged(line_of(R"({"event":"step","step":5)"));
  fs::copy_file(events, folder_ / "trusted/events.jsonl");
  ASSERT_EQ(run({{"resume", at("trusted")}, {"trust_damaged", true}}), 0) << said_;
  EXPECT_EQ(record("trusted")["results"]["end"], expected["end"]);

  write_file(events, text + "{\"event\":\"step\",\"step\":9,\"crc\":\"00000000\"}\n");  // a step that is taken again
  ASSERT_EQ(run({{"resume", at("stopped")}}), 0) << said_;
  EXPECT_EQ(record("stopped")["results"]["best"], expected["best"]);
  EXPECT_EQ(record("stopped")["results"]["state_sha256"], expected["state_sha256"]);
}

// Settings that somebody edited are refused, and the snapshots stay; trusted they count from then on, however often the
// run is stopped.
TEST_F(LoopTest, EditedSettingsAreRefusedOrTrustedForGood) {
  for (const bool replays : {false, true}) {
    const std::string name = replays ? "replays" : "snapshots";
    Walk::stop_after = 8;
    ASSERT_EQ(run({{"out", at(name)}, {"replays", replays}}), 130);
    reset_interrupt();
    Json edited = json_of(read_file(folder_ / name / "run.json"));
    edited["settings"]["steps"] = 14;
    write_file(folder_ / name / "run.json", edited.dump());
    EXPECT_EQ(run({{"resume", at(name)}}), 3);
    EXPECT_NE(said_.find("was edited"), std::string::npos) << said_;
    Walk::stop_after = 10;
    EXPECT_EQ(run({{"resume", at(name)}, {"trust_damaged", true}}), 130) << said_;
    Walk::stop_after = -1;
    reset_interrupt();
    ASSERT_EQ(run({{"resume", at(name)}}), 0) << said_;
    EXPECT_EQ(record(name)["results"]["steps"], 14);
    ASSERT_EQ(run({{"out", at(name + "-whole")}, {"replays", replays}, {"steps", 14}}), 0);
    EXPECT_EQ(record(name)["results"]["end"], record(name + "-whole")["results"]["end"]);
  }
}

// A record and snapshots that do not belong together.
TEST_F(LoopTest, SnapshotsOfOtherSettingsAreNeitherTakenNorLost) {
  for (const std::string name : {"a", "b"}) {
    Walk::stop_after = 8;
    ASSERT_EQ(run({{"out", at(name)}, {"seed", name == "a" ? 1 : 2}}), 130);
    reset_interrupt();
  }
  Walk::stop_after = -1;
  fs::copy_file(folder_ / "a/run.json", folder_ / "b/run.json", fs::copy_options::overwrite_existing);
  EXPECT_EQ(run({{"resume", at("b")}}), 3);
  EXPECT_NE(said_.find("was made with other settings"), std::string::npos) << said_;
  EXPECT_FALSE(fs::is_empty(folder_ / "b/snapshots"));
}

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

// The best step is that of the highest metric, and its state is what is put back.
TEST_F(LoopTest, PutsTheBestStepBack) {
  ASSERT_EQ(run({{"out", at("r")}, {"eval_every", 1}}), 0);
  double highest = -1;
  std::int64_t step = 0;
  for (const Json& event : read_events(folder_ / "r/events.jsonl", true).events) {
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
  for (const Json& event : read_events(folder_ / "r/events.jsonl", true).events) {
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
