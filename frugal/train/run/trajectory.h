// trajectory.bin: the log of steps. With the base weights it is the run: a few kilobytes that replay to the same bits.
//
// Little-endian. "FRGLTRJ\0", u32 version, u32 samples n, u32 bytes of JSON, the JSON (all that replay needs beside
// records and base; "base_sha256" names the base's weights), u32 CRC of everything before it. Then records of 16 + 4 n
// bytes: u32 step, u32 flags (1: skipped), f32 step size, n x f32 projected gradient, u32 CRC that goes on from the
// header's.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/train/run/append_file.h"

namespace frugal {

struct StepRecord {
  std::uint32_t step = 0;        // 0, 1, 2, ... without a gap
  bool skipped = false;          // the weights were left alone
  float lr = 0;                  // the step size, before the division by n
  std::vector<float> gradients;  // n projected gradients, finite unless skipped
};

struct Trajectory {
  Json header;
  std::uint32_t samples = 1;
  std::vector<StepRecord> steps;  // up to the first torn or damaged record
  std::uint64_t header_bytes = 0;
  std::uint32_t header_crc = 0;
  std::uint64_t bad_bytes = 0;  // what lies behind the last good record

  std::uint64_t bytes_of(std::size_t count) const;  // size of a file with the first `count` records
  // Error(Exit::input) with both hashes when the trajectory was made from other weights.
  void require_base(const std::string& weights_sha256) const;
  // Error(Exit::input) with both values when it was begun with other settings than a run's record has. expected: the
  // header that the record leads to; what an older log does not say is passed over, and so are names of files, which a
  // record has whole and holds by their hashes.
  void require_header(const Json& expected) const;
};

// Error(Exit::input): not a trajectory, a newer version, a damaged header. A damaged tail is no error: see bad_bytes.
Trajectory parse_trajectory(std::string_view bytes);
Trajectory read_trajectory(const std::filesystem::path& path);

class TrajectoryWriter {
 public:
  // A new log; the header lands on disk whole or not at all. header holds "base_sha256". 1 <= samples <= kMaxSamples.
  static TrajectoryWriter create(const std::filesystem::path& path, const Json& header, std::uint32_t samples);
  // Goes on behind the first `count` records of `read`, which came from `path`; what is behind them is cut.
  static TrajectoryWriter resume(const std::filesystem::path& path, const Trajectory& read, std::size_t count);

  void append(const StepRecord& record);  // record.step is steps(); Error(Exit::input) when the disk is full
  void sync() { file_.sync(); }
  std::uint32_t steps() const { return steps_; }

  static constexpr std::uint32_t kMaxSamples = 1024;

 private:
  TrajectoryWriter(AppendFile file, std::uint32_t samples, std::uint32_t seed, std::uint32_t steps)
      : file_(std::move(file)), samples_(samples), crc_seed_(seed), steps_(steps) {}
  AppendFile file_;
  std::uint32_t samples_, crc_seed_, steps_;
};

}  // namespace frugal
