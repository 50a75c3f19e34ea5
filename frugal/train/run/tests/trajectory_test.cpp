#include "frugal/train/run/trajectory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmath>
#include <random>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/train/run/crc32.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

const Json kHeader = {
    {"base_sha256", "abc"}, {"direction", "gaussian"}, {"eps", 0x1p-10}, {"thresholds", {0.1f, 1e-30f, 3.4e38f}}};

// Numbers without a pattern, so that a record in another's place shows.
StepRecord record_of(std::uint32_t step, std::uint32_t samples) {
  StepRecord record{step, step % 7 == 3, 1e-4f / static_cast<float>(step + 1), {}};
  for (std::uint32_t j = 0; j < samples; ++j) record.gradients.push_back(std::sin(static_cast<float>(1000 * step + j)));
  return record;
}

void expect_prefix(const Trajectory& read, std::size_t count, std::uint32_t samples) {
  ASSERT_EQ(read.steps.size(), count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const StepRecord wanted = record_of(i, samples);
    EXPECT_EQ(read.steps[i].step, i);
    EXPECT_EQ(read.steps[i].skipped, wanted.skipped);
    EXPECT_EQ(read.steps[i].lr, wanted.lr);
    EXPECT_EQ(read.steps[i].gradients, wanted.gradients);
  }
}

std::string written(const TemporaryFolder& folder, std::uint32_t count, std::uint32_t samples) {
  const auto path = folder / "t.bin";
  TrajectoryWriter writer = TrajectoryWriter::create(path, kHeader, samples);
  for (std::uint32_t i = 0; i < count; ++i) writer.append(record_of(i, samples));
  return read_file(path);
}

TEST(Crc32, KnownAnswer) {
  EXPECT_EQ(crc32("123456789", 9), 0xCBF43926u);  // the check value of the standard
  EXPECT_EQ(crc32("6789", 4, crc32("12345", 5)), 0xCBF43926u);
}

TEST(Trajectory, ReadsWhatWasWritten) {
  const TemporaryFolder folder;
  for (const std::uint32_t samples : {1u, 3u}) {
    const Trajectory read = parse_trajectory(written(folder, 200, samples));
    expect_prefix(read, 200, samples);
    EXPECT_EQ(read.header, kHeader);
    EXPECT_EQ(read.header["thresholds"][1].get<float>(), 1e-30f);
    EXPECT_EQ(read.bad_bytes, 0u);
    EXPECT_EQ(std::filesystem::file_size(folder / "t.bin"), read.bytes_of(200));
  }
  EXPECT_LT(parse_trajectory(written(folder, 200, 1)).bytes_of(200), 5000u);
}

TEST(Trajectory, TornAtAnyByteGivesThePrefix) {
  const TemporaryFolder folder;
  const std::string bytes = written(folder, 5, 2);
  const Trajectory whole = parse_trajectory(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string torn = bytes.substr(0, size);
    if (size < whole.header_bytes) {
      EXPECT_THROW(parse_trajectory(torn), Error) << size;
      continue;
    }
    const std::size_t count = (size - whole.header_bytes) / 24;
    const Trajectory read = parse_trajectory(torn);
    expect_prefix(read, count, 2);
    EXPECT_EQ(read.bad_bytes, size - whole.bytes_of(count));
  }
}

TEST(Trajectory, AnyFlippedBitIsFound) {
  const TemporaryFolder folder;
  const std::string bytes = written(folder, 3, 1);
  const Trajectory whole = parse_trajectory(bytes);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    if (bit / 8 < whole.header_bytes)
      EXPECT_THROW(parse_trajectory(flipped), Error) << bit;
    else
      expect_prefix(parse_trajectory(flipped), (bit / 8 - whole.header_bytes) / 20, 1);
  }
}

TEST(Trajectory, RecordsOfAnotherRunAreNotTaken) {
  const TemporaryFolder folder;
  const std::string own = written(folder, 2, 1);
  TrajectoryWriter writer = TrajectoryWriter::create(folder / "other.bin", {{"base_sha256", "abd"}}, 1);
  for (std::uint32_t i = 0; i < 3; ++i) writer.append(record_of(i, 1));
  const std::string other = read_file(folder / "other.bin");
  expect_prefix(parse_trajectory(own + other.substr(other.size() - 20)), 2, 1);
}

TEST(Trajectory, GoesOnBehindTheGoodRecords) {
  const TemporaryFolder folder;
  const auto path = folder / "t.bin";
  write_file(path, written(folder, 9, 1) + "torn");
  const Trajectory read = read_trajectory(path);
  EXPECT_EQ(read.bad_bytes, 4u);
  for (const std::uint32_t keep : {9u, 6u, 0u}) {
    TrajectoryWriter writer = TrajectoryWriter::resume(path, read, keep);
    EXPECT_EQ(writer.steps(), keep);
    for (std::uint32_t i = keep; i < 12; ++i) writer.append(record_of(i, 1));
    expect_prefix(read_trajectory(path), 12, 1);
  }
  EXPECT_THROW(TrajectoryWriter::resume(path, read, 10), Error);
}

TEST(Trajectory, RefusesRecordsOutOfOrderOrNotFinite) {
  const TemporaryFolder folder;
  TrajectoryWriter writer = TrajectoryWriter::create(folder / "t.bin", kHeader, 1);
  EXPECT_THROW(writer.append(record_of(1, 1)), Error);
  EXPECT_THROW(writer.append(record_of(0, 2)), Error);
  EXPECT_THROW(writer.append({0, false, 1, {NAN}}), Error);
  writer.append({0, true, 1, {NAN}});
  EXPECT_EQ(read_trajectory(folder / "t.bin").steps.size(), 1u);
}

TEST(Trajectory, RefusesAnotherBaseAndOtherFiles) {
  const TemporaryFolder folder;
  const std::string bytes = written(folder, 1, 1);
  const Trajectory read = parse_trajectory(bytes);
  EXPECT_NO_THROW(read.require_base("abc"));
  try {
    read.require_base("xyz");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("abc"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("xyz"), std::string::npos);
  }
  std::string newer = bytes;
  newer[8] = 9;
  try {
    parse_trajectory(newer);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("version 9"), std::string::npos);
  }
  EXPECT_THROW(parse_trajectory("GGUF and so on, long enough to hold a header"), Error);
  std::string hostile = bytes;
  hostile.replace(16, 4, "\xff\xff\xff\xff");  // a header of 4 GiB
  EXPECT_THROW(parse_trajectory(hostile), Error);
}

// Kills a process that appends as fast as it can; what it left is a prefix, and the log goes on from there.
TEST(Trajectory, KilledAnywhereLeavesAPrefix) {
  const TemporaryFolder folder;
  const auto path = folder / "t.bin";
  TrajectoryWriter::create(path, kHeader, 1);
  std::mt19937 random(1);
  std::size_t before = 0;
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const Trajectory read = read_trajectory(path);
      TrajectoryWriter writer = TrajectoryWriter::resume(path, read, read.steps.size());
      for (;;) writer.append(record_of(writer.steps(), 1));
    }
    ::usleep(500 + random() % 4000);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    const Trajectory read = read_trajectory(path);
    ASSERT_GE(read.steps.size(), before);
    before = read.steps.size();
  }
  EXPECT_GT(before, 40u);
  expect_prefix(read_trajectory(path), before, 1);
}

// A limit on the size of files stands in for a full disk: the write that does not fit fails, and leaves nothing torn.
TEST(Trajectory, FullDiskIsAnErrorAndLeavesWholeRecords) {
  const TemporaryFolder folder;
  const auto path = folder / "t.bin";
  const std::string begun = written(folder, 2, 1);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{begun.size() + 3 * 20 + 7, begun.size() + 3 * 20 + 7};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Trajectory read = read_trajectory(path);
    TrajectoryWriter writer = TrajectoryWriter::resume(path, read, 2);
    try {
      for (;;) writer.append(record_of(writer.steps(), 1));
    } catch (const Error& error) {
      ::_exit(error.code() == Exit::input ? static_cast<int>(writer.steps()) : 99);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 5);
  const Trajectory read = read_trajectory(path);
  expect_prefix(read, 5, 1);
  EXPECT_EQ(read.bad_bytes, 0u);
}

}  // namespace
}  // namespace frugal
