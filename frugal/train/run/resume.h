// Where a run goes on: the newest whole snapshot that the log of steps leads past, and the records to replay on it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "frugal/train/run/events.h"
#include "frugal/train/run/run_folder.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/trajectory.h"

namespace frugal {

struct ResumePoint {
  Trajectory trajectory;            // its good records
  std::uint64_t snapshot_step = 0;  // 0: no snapshot is usable, begin with the base
  std::filesystem::path snapshot;   // empty when snapshot_step is 0
  std::vector<std::string> notes;   // what was damaged and is left out

  std::uint64_t steps() const { return trajectory.steps.size(); }  // taken before the run stopped
  std::span<const StepRecord> replay() const { return std::span(trajectory.steps).subspan(snapshot_step); }
};

// What the snapshots of a run say of it.
struct RunIdentity {
  std::string base_sha256;
  std::vector<std::string> settings_sha256{};  // one of these; none: any
};

// The newest whole snapshot of this run, of at most `most` steps; what was left out goes to the notes.
// Error(Exit::input): a whole one was made with other settings: it would be lost.
struct FoundSnapshot {
  std::uint64_t step = 0;  // 0: none is usable, begin with the base
  std::filesystem::path path;
  std::vector<std::string> notes;
};
FoundSnapshot find_snapshot(const SnapshotStore& snapshots, const RunIdentity& run, std::uint64_t most);

ReadEvents events_of_run(const std::filesystem::path& run);  // by its record
// Whether these are the events of a run that has taken so many steps, and has a snapshot of `snapshot` steps. Lines
// behind a damaged one may be missing, with a warning, where they are of later steps, which are taken again, or
// `damage` is trusted. Error(Exit::input), with the line: they are of others, or end before the snapshot, which was
// written behind them.
void require_events(const ReadEvents& read, const RunFolder& folder, std::int64_t taken, std::int64_t snapshot,
                    Damage damage);

// settings_sha256: see RunIdentity. Steps of the log that are not among the events, behind which the run was killed,
// are taken again. Error(Exit::input) when the log has no readable header.
ResumePoint find_resume_point(const std::filesystem::path& trajectory, const SnapshotStore& snapshots,
                              const std::vector<std::string>& settings_sha256 = {}, const ReadEvents* events = nullptr);

}  // namespace frugal
