#include "frugal/train/run/snapshot_store.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/base/units.h"

namespace frugal {
namespace {

constexpr std::string_view kPrefix = "step-", kSuffix = ".frugal";

std::optional<std::uint64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= kPrefix.size() + kSuffix.size())
    return {};
  const char *from = name.data() + kPrefix.size(), *to = name.data() + name.size() - kSuffix.size();
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(from, to, step);
  return error == std::errc() && end == to ? std::optional(step) : std::nullopt;
}

}  // namespace

std::filesystem::path SnapshotStore::path_of(std::uint64_t step) const {
  char name[64];
  std::snprintf(name, sizeof name, "step-%06llu.frugal", static_cast<unsigned long long>(step));
  return folder_ / name;
}

std::vector<std::uint64_t> SnapshotStore::steps() const {
  std::vector<std::uint64_t> found;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, missing)) {
    if (const auto step = step_of(entry.path().filename().string())) found.push_back(*step);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void SnapshotStore::write(const SnapshotInfo& info, std::span<const NamedBytes> tensors) {
  std::filesystem::create_directories(folder_);
  write_snapshot(path_of(info.step), info, tensors);
  prune();
}

void SnapshotStore::forget_after(std::uint64_t last) {
  for (const std::uint64_t step : steps()) {
    if (step > last) std::filesystem::remove(path_of(step));
  }
}

void SnapshotStore::prune() const {
  const std::vector<std::uint64_t> all = steps();
  for (std::size_t i = 0; i + keep_ < all.size(); ++i) {
    if (all[i] != protected_) std::filesystem::remove(path_of(all[i]));
  }
}

void require_free_space(const std::filesystem::path& path, std::uint64_t bytes) {
  auto at = std::filesystem::absolute(path);
  while (!std::filesystem::exists(at) && at.has_relative_path()) at = at.parent_path();
  struct statvfs disk {};
  if (::statvfs(at.c_str(), &disk) != 0) return;  // a file system that does not say
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free < bytes) {
    throw Error(Exit::input,
                "the run needs " + format_bytes(bytes) + " of disk for its snapshots, " + at.string() + " has " +
                    format_bytes(free) + " free",
                "free some space, or choose another disk with --out");
  }
}

}  // namespace frugal
