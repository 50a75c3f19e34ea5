// The snapshots of a run: snapshots/step-000050.frugal, the newest ones and the best one of a method that does not
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
  // keep: so many of the newest, >= 1: with one alone a damaged snapshot is the run's only one.
  explicit SnapshotStore(std::filesystem::path folder, std::size_t keep = 2)
      : folder_(std::move(folder)), keep_(keep) {}

  std::filesystem::path path_of(std::uint64_t step) const;
  std::vector<std::uint64_t> steps() const;  // of the files there are, rising; they may be damaged

  void protect(std::uint64_t step) { protected_ = step; }  // this one stays, another that was protected does not
  // Writes one and removes those that are neither of the newest nor protected.
  void write(const SnapshotInfo& info, std::span<const NamedBytes> tensors);

  // Removes snapshots after `steps`: what a cut log of steps does not lead to.
  void forget_after(std::uint64_t steps);

 private:
  void prune() const;
  std::filesystem::path folder_;
  std::size_t keep_;
  std::optional<std::uint64_t> protected_;
};

// Error(Exit::input) with both sizes when the disk that holds `path` (or its nearest folder there is) has less than
// `bytes` free.
void require_free_space(const std::filesystem::path& path, std::uint64_t bytes);

// What the snapshots of a run take at most: the newest and the one being written.
inline std::uint64_t most_snapshot_bytes(std::uint64_t one, std::size_t keep = 2) { return (keep + 1) * one; }

}  // namespace frugal
