// A job of one's own in the loop, without LibTorch: it gets progress, Ctrl-C, events, snapshots, resume and a record.
//   custom_job OUT            a new run
//   custom_job --resume OUT   goes on with one that was stopped, to the same bits
// Here: Conway's game of life on a ring; a step is a generation.
#include <algorithm>
#include <iostream>

#include "frugal/base/interrupt.h"
#include "frugal/base/philox.h"
#include "frugal/base/report_error.h"
#include "frugal/train/loop/loop.h"

using namespace frugal;

struct LifeConfig {
  std::int64_t size = 64, generations = 200;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "size", .help = "cells along each side, >= 3"}, c.size);
    v({.name = "generations", .help = "steps of the run, >= 1"}, c.generations);
  }
};

void validate(const LifeConfig& c) {
  require_setting(c.size >= 3, "--size", c.size, "at least 3", "--size 64");
  require_setting(c.generations >= 1, "--generations", c.generations, "at least 1", "--generations 200");
}

class Life : public Job {
 public:
  Life(const LifeConfig& c, const JobContext& context) : config_(c), cells_(static_cast<std::size_t>(c.size * c.size)) {
    PhiloxSequence random(philox_key(static_cast<std::uint64_t>(context.run.seed), 0), named_stream("life.start"));
    for (std::uint8_t& cell : cells_) cell = random.below(3) == 0;
  }
  std::int64_t steps() const override { return config_.generations; }
  StepResult step(std::int64_t) override {
    std::vector<std::uint8_t> next(cells_.size());
    for (std::int64_t y = 0; y < config_.size; ++y) {
      for (std::int64_t x = 0; x < config_.size; ++x) {
        int around = 0;
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) around += (dy != 0 || dx != 0) && at(x + dx, y + dy);
        }
        next[static_cast<std::size_t>(y * config_.size + x)] = around == 3 || (around == 2 && at(x, y));
      }
    }
    cells_ = next;
    alive_.push_back(static_cast<double>(std::count(cells_.begin(), cells_.end(), 1)));
    return {.value = alive_.back(), .event = {{"alive", alive_.back()}}};
  }
  void state(State& state, std::int64_t) override {  // all that the next step depends on
    state.list("cells", cells_);
    state.list("alive", alive_);
  }
  Finished finish(Ending&) override { return {.results = {{"alive", alive_.back()}}}; }
  const char* value_name() const override { return "alive"; }

 private:
  bool at(std::int64_t x, std::int64_t y) const {
    const std::int64_t n = config_.size;
    return cells_[static_cast<std::size_t>((y + n) % n * n + (x + n) % n)] != 0;
  }
  LifeConfig config_;
  std::vector<std::uint8_t> cells_;
  std::vector<double> alive_;
};

int main(int argc, char** argv) try {
  if (argc < 2) throw Error(Exit::usage, "no folder is given for the run", "custom_job OUT");
  catch_interrupts();
  JobTable jobs;
  jobs.job<LifeConfig>("life", [](const LifeConfig& config, const JobContext& context) {
    return std::make_unique<Life>(config, context);
  });
  const bool resumes = std::string(argv[1]) == "--resume" && argc > 2;
  return run_job(*jobs.find_job("life"), {"life", {{resumes ? "resume" : "out", argv[resumes ? 2 : 1]}}});
} catch (...) {
  return report_exception(false);
}
