// A snapshot: a run's own weights at one step, in one file with a checksum over all of it.
//
// Little-endian. "FRGLSNP\0", u32 version, u32 bytes of JSON, the JSON {"step", "dtype", "base_sha256",
// "settings_sha256", "tensors": [{"name", "bytes"}]}, the tensors' bytes one after the other, and the SHA-256 of
// everything before it as 64 hexadecimal digits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "frugal/base/json.h"
#include "frugal/base/named_bytes.h"

namespace frugal {

struct SnapshotInfo {
  std::uint64_t step = 0;         // steps taken: the records 0 .. step - 1 are in these weights
  std::string dtype;              // of matrices: "bf16" or "f32"
  std::string base_sha256;        // weights_sha256 of the weights the run began with
  std::string settings_sha256{};  // of the run's settings; empty: a snapshot of before it was written
};

// Streams through a buffer of 1 MiB; the file appears under its name only when whole and on disk. Error(Exit::input):
// disk full.
void write_snapshot(const std::filesystem::path& path, const SnapshotInfo& info, std::span<const NamedBytes> tensors);

// Reads the whole file against its checksum before anybody uses it. Error(Exit::input): not a snapshot, newer, damaged.
SnapshotInfo verify_snapshot(const std::filesystem::path& path);

// Verifies, compares names and sizes with `tensors` (errors give both), and only then writes to them.
SnapshotInfo read_snapshot(const std::filesystem::path& path, std::span<const NamedBytes> into);

// Bytes of each part by its name, as the header has them; together no more than the file. Errors as above, but for the
// checksum, which is not looked at.
std::map<std::string, std::uint64_t> snapshot_sizes(const std::filesystem::path& path);

std::uint64_t snapshot_bytes(std::span<const NamedBytes> tensors);  // of the file, less its header

// SHA-256 of the bytes of all tensors in order: what a run ends with and what names a base.
std::string weights_sha256(std::span<const NamedBytes> tensors);

}  // namespace frugal
