// The snapshots of a run: snapshots/step-000050.frugal, the newest two and the best one, and what is known of the best.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "frugal/train/run/snapshot.h"

namespace frugal {

// snapshots/best.json. An evaluation is over when it is in here: a run killed before that evaluates again.
struct BestMarker {
  std::uint64_t evaluated = 0;            // steps taken at the last evaluation
  std::optional<std::uint64_t> best;      // steps taken at the best one
  Json evaluation = Json::object();       // its figures, as the loop wrote them
};

class SnapshotStore {
 public:
  explicit SnapshotStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path path_of(std::uint64_t step) const;
  std::vector<std::uint64_t> steps() const;  // of the files there are, rising; they may be damaged

  // Writes one and removes those that are neither of the newest two nor the best.
  void write(const SnapshotInfo& info, std::span<const NamedBytes> tensors);

  BestMarker best() const;  // nothing evaluated when there is no marker or it is damaged
  // After an evaluation. marker.best names a snapshot that is there; then what is no longer kept is removed.
  void mark(const BestMarker& marker);

  // Removes snapshots after `steps`: what a cut log of steps does not lead to.
  void forget_after(std::uint64_t steps);

 private:
  void prune() const;
  std::filesystem::path folder_;
};

// Error(Exit::input) with both sizes when the disk that holds `path` (or its nearest folder there is) has less than `bytes` free.
void require_free_space(const std::filesystem::path& path, std::uint64_t bytes);

// What the snapshots of a run take at most: the newest two, the best and the one being written.
inline std::uint64_t most_snapshot_bytes(std::uint64_t one) { return 4 * one; }

}  // namespace frugal
