// The loop's tests run over a job of a few numbers.
#pragma once
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
#include "frugal/base/validate.h"
#include "frugal/train/loop/loop.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/resume.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
struct WalkConfig {
  std::int64_t steps = 12, seed = 1, fails_at = -1, patience = 0;
  bool replays = false, falls = false, restarts = false;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "steps", .help = "steps"}, c.steps);
    v({.name = "seed", .help = "seed"}, c.seed);
    v({.name = "patience", .help = "evaluations that are no better"}, c.patience);
    v({.name = "fails_at", .help = "from this step on nothing is finite"}, c.fails_at);
    v({.name = "replays", .help = "steps repeat from a log"}, c.replays);
    v({.name = "falls", .help = "every step goes down"}, c.falls);
    v({.name = "restarts", .help = "it puts back its start by itself"}, c.restarts);
  }
};

inline void validate(const WalkConfig& c) {
  require_setting(c.steps >= 1, "--steps", c.steps, "at least 1", "--steps 12");
}

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
    StepResult result{.value = at_, .event = {{"height", at_}}};
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
    return {.results = {{"end", finished_at}, {"best_at", at_}, {"length", path_.size()}, {"mean", ending.mean_value}}};
  }
  std::string identity() override { return std::string(64, 'a'); }
  Replay* replay() override { return config_.replays ? this : nullptr; }
  const char* value_name() const override { return "height"; }

  bool restarts() const override { return config_.restarts || config_.replays; }
  void restart() override { at_ = 0, path_.clear(); }

  std::int64_t patience() const override { return config_.patience; }
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

inline JobTable table() {
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
  // leg: see RunRequest.
  int run(const Json& more, const Json& leg = Json::object()) const {
    testing::internal::CaptureStdout();
    Json settings = {{"json", true}, {"checkpoint_every", 3}};
    settings.update(more);
    int code = 0;
    try {
      code = run_job(*table().find_job("walk"), {"walk", settings, Json::object(), leg});
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

}  // namespace frugal
