// A run of a job: what the loop keeps beside the job's state. Private to loop/.
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "frugal/core/budget/guard.h"
#include "frugal/train/loop/loop.h"
#include "frugal/train/run/best.h"
#include "frugal/train/run/events.h"
#include "frugal/train/run/snapshot_store.h"

namespace frugal {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  // floor_bytes: the peak before anything was made.
  Loop(Job& job, const RunRequest& request, Json settings, const RunConfig& run, Clock::time_point began,
       std::uint64_t floor_bytes)
      : job_(job),
        action_(request.action),
        facts_(request.facts),
        settings_(std::move(settings)),
        leg_(request.leg),
        run_(run),
        began_(began),
        floor_bytes_(floor_bytes),
        guard_(run.memory, job.budget_fix()) {}

  int start(const std::filesystem::path& out);
  int resume(RunFolder folder);

 private:
  void identify();
  SnapshotInfo info(std::int64_t step) const {
    return {static_cast<std::uint64_t>(step), job_.snapshot_type(), identity_, settings_sha256_};
  }
  double elapsed() const { return seconds_before_ + std::chrono::duration<double>(Clock::now() - began_).count(); }
  TrajectoryWriter new_log(const RunFolder& folder) const {
    return TrajectoryWriter::create(folder.trajectory(), job_.replay()->header(),
                                    static_cast<std::uint32_t>(job_.replay()->record_size()));
  }
  void restore(const std::filesystem::path& snapshot, std::int64_t step);
  static std::int64_t leg_from(const Json& record);
  void take(const std::vector<Json>& events, std::int64_t taken, std::int64_t leg_from);
  std::vector<std::string> known_settings(const RunFolder& folder) const;
  void begin_leg(RunFolder& folder, std::int64_t from);
  bool offer(const Json& evaluation, std::int64_t step);
  bool has_settled() const { return job_.patience() > 0 && best_.since >= job_.patience(); }
  int steps(RunFolder& folder, std::optional<TrajectoryWriter> log, std::int64_t first);
  void count(bool is_skipped, double value);
  int finish(RunFolder& folder, EventLog& events, std::int64_t steps);
  void put_back(const RunFolder& folder, std::int64_t step);

  Job& job_;
  const std::string action_;
  const Json facts_;
  Json settings_;
  const Json leg_;  // what of them a run that goes on has anew
  const RunConfig run_;
  const Clock::time_point began_;
  const std::uint64_t floor_bytes_;
  BudgetGuard guard_;
  std::string identity_, settings_sha256_;
  Figures figures_;
  BestEvaluation best_;
  std::int64_t evaluated_ = -1;  // steps taken at the last evaluation
  double seconds_before_ = 0;
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;  // steps of all processes
  double mean_ = NAN;                                // of the steps' values, the last ones most
};

}  // namespace frugal
