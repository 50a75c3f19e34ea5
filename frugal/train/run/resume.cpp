#include "frugal/train/run/resume.h"

#include <algorithm>

#include "frugal/base/error.h"

namespace frugal {

ResumePoint find_resume_point(const std::filesystem::path& trajectory, const SnapshotStore& snapshots) {
  ResumePoint point{read_trajectory(trajectory), 0, {}, {}};
  const std::string base = point.trajectory.header.value("base_sha256", std::string());
  if (point.trajectory.bad_bytes > 0) {
    point.notes.push_back("left out " + std::to_string(point.trajectory.bad_bytes) + " damaged bytes behind step " + std::to_string(point.steps()) +
                          " of " + trajectory.string());
  }
  std::vector<std::uint64_t> steps = snapshots.steps();
  std::reverse(steps.begin(), steps.end());
  for (const std::uint64_t step : steps) {
    const auto path = snapshots.path_of(step);
    if (step > point.steps()) {
      point.notes.push_back("left out " + path.string() + ": the log of steps ends at " + std::to_string(point.steps()));
      continue;
    }
    try {
      const SnapshotInfo info = verify_snapshot(path);
      if (info.step != step || info.base_sha256 != base) {
        point.notes.push_back("left out " + path.string() + ": it belongs to another run or step");
        continue;
      }
      point.snapshot_step = step;
      point.snapshot = path;
      break;
    } catch (const Error& error) {
      point.notes.push_back(std::string("left out a snapshot: ") + error.what());
    }
  }
  return point;
}

}  // namespace frugal
