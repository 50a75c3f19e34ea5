#include "frugal/train/run/snapshot.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <fstream>
#include <random>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/sha256.h"
#include "frugal/train/run/resume.h"
#include "frugal/train/run/snapshot_store.h"
#include "frugal/train/run/tests/temporary_folder.h"

namespace frugal {
namespace {

// Weights whose bytes are a function of the step, so that a snapshot under another step's name shows.
struct Weights {
  explicit Weights(std::uint64_t step) : a(1000), b(3) { set(step); }
  void set(std::uint64_t step) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<std::byte>(step * 31 + i * 7);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::byte>(step + i);
  }
  std::vector<NamedBytes> tensors() { return {{"embedding", a}, {"norm", b}}; }
  std::vector<std::byte> a, b;
};

void write(SnapshotStore& store, std::uint64_t step) {
  Weights weights(step);
  store.write({step, "bf16", "base"}, weights.tensors());
}

void flip(const std::filesystem::path& path, std::size_t byte) {
  std::string bytes = read_file(path);
  bytes[byte] = static_cast<char>(bytes[byte] ^ 1);
  write_file(path, bytes);
}

void write_log(const std::filesystem::path& path, std::uint32_t steps) {
  TrajectoryWriter writer = TrajectoryWriter::create(path, {{"base_sha256", "base"}}, 1);
  for (std::uint32_t i = 0; i < steps; ++i) writer.append({i, false, 1, {1.0f}});
}

TEST(Snapshot, ReadsWhatWasWritten) {
  const TemporaryFolder folder;
  Weights weights(7), read(0);
  write_snapshot(folder / "s", {7, "bf16", "base"}, weights.tensors());
  const SnapshotInfo info = read_snapshot(folder / "s", read.tensors());
  EXPECT_EQ(info.step, 7u);
  EXPECT_EQ(info.dtype, "bf16");
  EXPECT_EQ(info.base_sha256, "base");
  EXPECT_EQ(read.a, weights.a);
  EXPECT_EQ(read.b, weights.b);
  EXPECT_EQ(weights_sha256(read.tensors()), weights_sha256(weights.tensors()));
}

TEST(Snapshot, HashOfWeightsIsThatOfTheirBytesInOrder) {
  std::byte abc[] = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};  // FIPS 180-4's example
  const std::vector<NamedBytes> tensors = {{"x", std::span(abc, 1)}, {"y", std::span(abc + 1, 2)}};
  EXPECT_EQ(weights_sha256(tensors), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Snapshot, AnyDamageIsFoundBeforeTheWeightsChange) {
  const TemporaryFolder folder;
  Weights weights(1);
  write_snapshot(folder / "s", {1, "bf16", "base"}, weights.tensors());
  const std::string bytes = read_file(folder / "s");
  const auto put = [&](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  const Weights untouched(9);
  Weights into(9);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << at % 8);
    put("flipped", flipped);
    EXPECT_THROW(read_snapshot(folder / "flipped", into.tensors()), Error) << at;
  }
  for (std::size_t size = 0; size < bytes.size(); size += 13) {
    put("torn", bytes.substr(0, size));
    EXPECT_THROW(read_snapshot(folder / "torn", into.tensors()), Error) << size;
  }
  EXPECT_THROW(read_snapshot(folder / "none", into.tensors()), Error);
  EXPECT_EQ(into.a, untouched.a);
  EXPECT_EQ(into.b, untouched.b);
}

TEST(Snapshot, AnotherModelIsNamed) {
  const TemporaryFolder folder;
  Weights weights(1);
  write_snapshot(folder / "s", {1, "bf16", "base"}, weights.tensors());
  std::vector<std::byte> small(2);
  const std::vector<NamedBytes> other = {{"embedding", weights.a}, {"norm", small}};
  try {
    read_snapshot(folder / "s", other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"bytes\":3"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("\"bytes\":2"), std::string::npos) << error.what();
  }
}

TEST(SnapshotStore, KeepsTheNewestTwo) {
  const TemporaryFolder folder;
  SnapshotStore store(folder / "snapshots");
  for (std::uint64_t step = 50; step <= 250; step += 50) write(store, step);
  EXPECT_EQ(store.steps(), (std::vector<std::uint64_t>{200, 250}));
  store.forget_after(200);
  EXPECT_EQ(store.steps(), (std::vector<std::uint64_t>{200}));
}

TEST(SnapshotStore, LongStepNumbersKeepTheirOrder) {
  const TemporaryFolder folder;
  SnapshotStore store(folder / "snapshots");
  for (const std::uint64_t step : {999999u, 1000000u, 1000001u}) write(store, step);
  EXPECT_EQ(store.steps(), (std::vector<std::uint64_t>{1000000, 1000001}));
}

TEST(Resume, TakesTheNewestWholeSnapshotTheLogLeadsPast) {
  const TemporaryFolder folder;
  const auto log = folder / "trajectory.bin";
  SnapshotStore store(folder / "snapshots");
  write_log(log, 120);
  const auto snapshot_of = [&] { return find_resume_point(log, store).snapshot_step; };
  EXPECT_EQ(snapshot_of(), 0u);
  EXPECT_EQ(find_resume_point(log, store).replay().size(), 120u);
  write(store, 50);
  write(store, 100);
  const ResumePoint point = find_resume_point(log, store);
  EXPECT_EQ(point.snapshot_step, 100u);
  EXPECT_TRUE(point.notes.empty());
  ASSERT_EQ(point.replay().size(), 20u);
  EXPECT_EQ(point.replay()[0].step, 100u);

  flip(store.path_of(100), 700);
  EXPECT_EQ(snapshot_of(), 50u);
  EXPECT_EQ(find_resume_point(log, store).notes.size(), 1u);
  flip(store.path_of(50), 700);
  EXPECT_EQ(snapshot_of(), 0u);
}

TEST(Resume, LeavesOutSnapshotsAheadOfTheLogAndOfOtherRuns) {
  const TemporaryFolder folder;
  const auto log = folder / "trajectory.bin";
  SnapshotStore store(folder / "snapshots");
  write_log(log, 60);
  write(store, 50);
  write(store, 100);
  EXPECT_EQ(find_resume_point(log, store).snapshot_step, 50u);
  Weights other(50);
  store.write({50, "bf16", "another base"}, other.tensors());
  EXPECT_EQ(find_resume_point(log, store).snapshot_step, 0u);
  Weights early(40);
  write_snapshot(store.path_of(50), {40, "bf16", "base"}, early.tensors());
  EXPECT_EQ(find_resume_point(log, store).snapshot_step, 0u) << "a snapshot of step 40 under the name of step 50";
}

// A run of one counter: weights are a function of the steps taken. Killed at random, it goes on to the same weights.
TEST(Resume, KilledAtRandomEndsWithTheSameWeights) {
  const TemporaryFolder folder;
  const auto log = folder / "trajectory.bin";
  constexpr std::uint32_t kSteps = 3000;
  const auto go_on = [&] {
    SnapshotStore store(folder / "snapshots");
    if (!std::filesystem::exists(log)) TrajectoryWriter::create(log, {{"base_sha256", "base"}}, 1);
    const ResumePoint point = find_resume_point(log, store);
    Weights weights(0);
    if (point.snapshot_step > 0) read_snapshot(point.snapshot, weights.tensors());
    const auto take = [&](const StepRecord& r) {  // order matters: each byte depends on all records so far
      for (std::byte& b : weights.a)
        b = static_cast<std::byte>(std::to_integer<unsigned>(b) * 5 + static_cast<unsigned>(r.gradients[0]));
    };
    for (const StepRecord& record : point.replay()) take(record);
    store.forget_after(point.steps());
    TrajectoryWriter writer = TrajectoryWriter::resume(log, point.trajectory, point.steps());
    while (writer.steps() < kSteps) {
      const StepRecord record{writer.steps(), false, 1, {static_cast<float>(writer.steps() % 113)}};
      take(record);
      writer.append(record);
      if (writer.steps() % 100 == 0) {
        writer.sync();
        store.write({writer.steps(), "bf16", "base"}, weights.tensors());
      }
    }
    return weights_sha256(weights.tensors());
  };
  std::mt19937 random(2);
  for (int round = 0; round < 25; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      go_on();
      ::_exit(0);
    }
    ::usleep(1000 + random() % 12000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  const std::string killed = go_on();
  std::filesystem::remove_all(folder / "snapshots");
  std::filesystem::remove(log);
  EXPECT_EQ(killed, go_on());
}

TEST(Snapshot, FullDiskLeavesNoFile) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{500, 500};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Weights weights(1);
    try {
      write_snapshot(folder / "s", {1, "bf16", "base"}, weights.tensors());
      ::_exit(0);
    } catch (const Error& error) {
      ::_exit(static_cast<int>(error.code()));
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Exit::input));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FreeSpace, SaysBothSizes) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(require_free_space(folder / "not/there/yet", 1));
  try {
    require_free_space(folder / "not/there/yet", std::uint64_t{1} << 62);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("4194304 TiB"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace frugal
