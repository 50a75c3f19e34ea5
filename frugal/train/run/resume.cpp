#include "frugal/train/run/resume.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/base/log.h"

namespace frugal {

FoundSnapshot find_snapshot(const SnapshotStore& snapshots, const RunIdentity& run, std::uint64_t most) {
  FoundSnapshot found;
  std::vector<std::uint64_t> steps = snapshots.steps();
  std::reverse(steps.begin(), steps.end());
  std::string other;
  for (const std::uint64_t step : steps) {
    const auto path = snapshots.path_of(step);
    if (step > most) {
      found.notes.push_back("left out " + path.string() + ": the log of steps ends at " + std::to_string(most));
      continue;
    }
    try {
      const SnapshotInfo info = verify_snapshot(path);
      if (info.step != step || info.base_sha256 != run.base_sha256) {
        found.notes.push_back("left out " + path.string() + ": it belongs to another run or step");
        continue;
      }
      const auto& known = run.settings_sha256;
      if (!info.settings_sha256.empty() && !known.empty() &&
          std::find(known.begin(), known.end(), info.settings_sha256) == known.end()) {
        other = path.string();
        break;
      }
      found.step = step;
      found.path = path;
      break;
    } catch (const Error& error) {
      found.notes.push_back(std::string("left out a snapshot: ") + error.what());
    }
  }
  if (!other.empty())
    throw Error(Exit::input, other + " was made with other settings than run.json has",
                "copy the run again; or, if what run.json says is right, go on with --trust-damaged");
  return found;
}

namespace {

std::int64_t last_step(const ReadEvents& read) {
  std::int64_t last = 0;
  for (const Json& event : read.events) {
    if (event.value("event", "") == "step") last = std::max(last, event.value("step", std::int64_t{0}));
  }
  return last;
}

}  // namespace

ReadEvents events_of_run(const std::filesystem::path& run) {
  const Json record = RunFolder::read_untrusted(run);
  return read_events(run / "events.jsonl", record.contains("checksum"), RunFolder::chain_start(record));
}

void require_events(const ReadEvents& read, const RunFolder& folder, std::int64_t taken, std::int64_t snapshot,
                    Damage damage) {
  const std::int64_t last = last_step(read);
  const bool is_damaged = read.damaged_line > 0;
  const std::string what =
      is_damaged ? "line " + std::to_string(read.damaged_line) + " of " + folder.events().string() + " is damaged"
                 : folder.events().string() + " ends with step " + std::to_string(last);
  if (last < (is_damaged ? taken : snapshot) && damage == Damage::refused)
    throw Error(Exit::input,
                what + (is_damaged ? ": it is of step " + std::to_string(last) + " or later" : std::string()) +
                    ", the run has taken " + std::to_string(taken),
                "copy the run again; or go on with --trust-damaged, which forgets what is not there: what was the best "
                "so far, too");
  if (is_damaged) warn(what + "; it and what lies behind are cut");
}

ResumePoint find_resume_point(const std::filesystem::path& trajectory, const SnapshotStore& snapshots,
                              const std::vector<std::string>& settings_sha256, const ReadEvents* events) {
  ResumePoint point{read_trajectory(trajectory), 0, {}, {}};
  if (point.trajectory.bad_bytes > 0) {
    point.notes.push_back("left out " + std::to_string(point.trajectory.bad_bytes) + " damaged bytes behind step " +
                          std::to_string(point.steps()) + " of " + trajectory.string());
  }
  const RunIdentity run{point.trajectory.header.value("base_sha256", std::string()), settings_sha256};
  FoundSnapshot found = find_snapshot(snapshots, run, point.steps());
  point.snapshot_step = found.step;
  point.snapshot = std::move(found.path);
  point.notes.insert(point.notes.end(), found.notes.begin(), found.notes.end());
  if (events != nullptr && events->damaged_line == 0) {
    const std::uint64_t known = std::max(static_cast<std::uint64_t>(last_step(*events)), point.snapshot_step);
    point.trajectory.steps.resize(std::min(point.steps(), known));
  }
  return point;
}

}  // namespace frugal
