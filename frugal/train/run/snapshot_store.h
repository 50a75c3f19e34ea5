// The snapshots of a run: snapshots/step-000050.frugal, the newest two and the best one of a method that does not
// replay.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "frugal/train/run/snapshot.h"

namespace frugal {

class SnapshotStore {
 public:
  explicit SnapshotStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path path_of(std::uint64_t step) const;
  std::vector<std::uint64_t> steps() const;  // of the files there are, rising; they may be damaged

  void protect(std::uint64_t step) { protected_ = step; }  // this one stays, another that was protected does not
  // Writes one and removes those that are neither of the newest two nor protected.
  void write(const SnapshotInfo& info, std::span<const NamedBytes> tensors);

  // Removes snapshots after `steps`: what a cut log of steps does not lead to.
  void forget_after(std::uint64_t steps);

 private:
  void prune() const;
  std::filesystem::path folder_;
  std::optional<std::uint64_t> protected_;
};

// Error(Exit::input) with both sizes when the disk that holds `path` (or its nearest folder there is) has less than
// `bytes` free.
void require_free_space(const std::filesystem::path& path, std::uint64_t bytes);

// What the snapshots of a run take at most: the newest two and the one being written.
inline std::uint64_t most_snapshot_bytes(std::uint64_t one) { return 3 * one; }

}  // namespace frugal
