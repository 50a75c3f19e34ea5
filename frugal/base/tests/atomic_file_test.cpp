// Files that appear when they are whole: what they replace, where links lead, and what is no file at all. Nodes and
// links lie in a folder of the test's own: a mistake here may replace what it names.
#include "frugal/base/atomic_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "frugal/base/atomic_folder.h"
#include "frugal/base/error.h"
#include "frugal/base/leftovers.h"
#include "frugal/base/sha256.h"
#include "frugal/base/validate.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "frugal-files-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path pipe(const char* name) const {
    EXPECT_EQ(::mkfifo((folder_ / name).c_str(), 0600), 0);
    return folder_ / name;
  }
  static unsigned mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

template <class Call>
std::string refusal(Exit code, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_FALSE(error.fix().empty());
    return error.what();
  }
  return "accepted";
}

// What a killed process left goes with the next who writes there; what a living one holds, and what is not ours, stays.
TEST_F(Files, LeftoversOfKilledProcessesGo) {
  const fs::path file = folder_ / "model.gguf", model = folder_ / "model";
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile half(file);
    half.write("half");
    AtomicFolder folder(model);
    write_file(folder / "config.json", "{}");
    ::_exit(0);  // without a destructor
  }
  siginfo_t ended;
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  EXPECT_EQ(entries(), 2u);
  remove_leftovers(model, Leftover::folder);
  EXPECT_EQ(entries(), 1u) << "of a process that nobody has waited for yet, too";
  ::waitpid(child, nullptr, 0);
  for (const char* kept :
       {"model.gguf.tmp-mine", "model.gguf.tmp-", "model.gguf.tmp-20261130", "model.gguf.tmp-1", "other.gguf.tmp-12"})
    write_file(folder_ / kept, "x");
  {
    AtomicFile first(file);
    remove_leftovers(file, Leftover::file);  // as another process would
    EXPECT_TRUE(fs::exists(temporary_of(file))) << "it is held";
    first.write("whole");
    first.commit();
  }
  EXPECT_EQ(read_file(file), "whole");
  { AtomicFolder(model).commit(); }
  EXPECT_EQ(entries(), 7u);
}

TEST_F(Files, ALinkStaysAndWhatItLeadsToIsReplaced) {
  fs::create_directories(folder_ / "there");
  write_file(folder_ / "there/page", "old");
  fs::create_symlink("there/page", folder_ / "near");
  fs::create_symlink(folder_ / "near", folder_ / "far");
  write_file(folder_ / "far", "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "far"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "near"));
  EXPECT_EQ(read_file(folder_ / "there/page"), "new");
  fs::create_symlink("there/first", folder_ / "dangling");
  write_file(folder_ / "dangling", "made");
  EXPECT_EQ(read_file(folder_ / "there/first"), "made");
  fs::create_symlink("round", folder_ / "round");
  EXPECT_NE(refusal(Exit::input, [&] { write_file(folder_ / "round", "x"); }).find("round"), std::string::npos);
  EXPECT_TRUE(fs::is_symlink(folder_ / "round"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "there"), fs::directory_iterator()), 2);
}

TEST_F(Files, AFolderBehindALinkIsMadeWhereItLeads) {
  fs::create_directories(folder_ / "disk");
  fs::create_symlink("disk", folder_ / "model");
  AtomicFolder made(folder_ / "model/");
  write_file(made / "weights", "1");
  made.commit();
  EXPECT_TRUE(fs::is_symlink(folder_ / "model"));
  EXPECT_EQ(read_file(folder_ / "disk/weights"), "1");
}

TEST_F(Files, AFileThatIsReplacedKeepsItsMode) {
  for (const unsigned mode : {0600u, 0640u, 0755u}) {
    write_file(folder_ / "secret", "old");
    ASSERT_EQ(::chmod((folder_ / "secret").c_str(), mode), 0);
    {
      AtomicFile file(folder_ / "secret");
      file.write("new");
      for (const auto& part : fs::directory_iterator(folder_)) EXPECT_EQ(mode_of(part), mode) << part;
      file.commit();
    }
    EXPECT_EQ(mode_of(folder_ / "secret"), mode);
  }
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, APipeIsWrittenAndStays) {
  const fs::path path = pipe("pipe");
  EXPECT_EQ(refusal(Exit::input, [&] { write_file(path, "x"); }), "nothing reads the pipe " + path.string());
  const std::string text(300'000, 'x');  // more than a pipe holds
  std::string read;
  std::thread reader([&] { read.assign(std::istreambuf_iterator<char>(std::ifstream(path).rdbuf()), {}); });
  for (bool is_written = false; !is_written;) {  // as soon as the reader is there
    try {
      write_file(path, text);
      is_written = true;
    } catch (const Error&) {
      std::this_thread::yield();
    }
  }
  reader.join();
  EXPECT_EQ(read, text);
  EXPECT_TRUE(fs::is_fifo(path));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, TheOwnStdoutIsWrittenInPlace) {
  testing::internal::CaptureStdout();
  std::printf("before ");
  fs::create_symlink("/proc/self/fd/1", folder_ / "out");
  write_file(folder_ / "out", "middle ");
  std::printf("after");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "before middle after");
  EXPECT_TRUE(fs::is_symlink(folder_ / "out"));
}

TEST_F(Files, WhatCanHoldNoTextIsRefused) {
  fs::create_directories(folder_ / "folder");
  EXPECT_EQ(refusal(Exit::input, [&] { write_file(folder_ / "folder", "x"); }),
            (folder_ / "folder").string() + " is a folder");
  EXPECT_TRUE(fs::is_empty(folder_ / "folder"));
  EXPECT_NE(refusal(Exit::input, [&] { require_writable_file("--out", (folder_ / "folder").string()); }), "accepted");
}

TEST_F(Files, ReadersWaitForNoPipe) {
  const fs::path path = pipe("pipe"), zero = folder_ / "zero";
  fs::create_symlink("/dev/zero", zero);  // only read, and not even that
  for (const fs::path& each : {path, zero}) {
    const std::string expected = "cannot read " + each.string() + ": it is not a file";
    EXPECT_EQ(refusal(Exit::input, [&] { read_file(each); }), expected);
    EXPECT_EQ(refusal(Exit::input, [&] { sha256_file(each); }), expected);
    EXPECT_EQ(refusal(Exit::input, [&] { open_file(each); }), expected);
  }
  EXPECT_EQ(refusal(Exit::input, [&] { read_file(folder_ / "none"); }),
            "cannot read " + (folder_ / "none").string() + ": No such file or directory");
  write_file(folder_ / "empty", "");
  EXPECT_EQ(read_file(folder_ / "empty"), "");
  write_file(folder_ / "long", std::string(2000, 'x'));
  EXPECT_EQ(read_file(folder_ / "long", 2000).size(), 2000u);
  EXPECT_EQ(refusal(Exit::input, [&] { read_file(folder_ / "long", 1000); }),
            (folder_ / "long").string() + " has 1.95 KiB, the most is 1000 B");
}

TEST_F(Files, WhatIsReadIsNotWritten) {
  fs::create_directories(folder_ / "model/deep");
  const std::string data = (folder_ / "data").string(), weights = (folder_ / "model/deep/weights").string();
  write_file(data, "1");
  write_file(weights, "2");
  fs::create_symlink("data", folder_ / "soft");
  fs::create_hard_link(data, folder_ / "hard");
  const auto refused = [&](const std::string& out) {
    return refusal(Exit::usage, [&] {
      require_not_input("--out", out, {{"--text", ""}, {"--data", data}, {"MODEL", folder_ / "model"}});
    });
  };
  EXPECT_EQ(refused(data), "--out: " + data + " is read as --data, and would be overwritten");
  for (const char* link : {"soft", "hard"}) {
    const std::string out = (folder_ / link).string();
    EXPECT_EQ(refused(out), "--out: " + out + " is " + data + ", which is read as --data, and would be overwritten");
  }
  EXPECT_EQ(refused(folder_ / "model/../model/deep/weights"),
            "--out: " + (folder_ / "model/../model/deep/weights").string() + " is " + weights +
                ", which is read as MODEL, and would be overwritten");
  EXPECT_EQ(refused(folder_ / "model/new"), "accepted");
  EXPECT_EQ(refused(""), "accepted");
}

}  // namespace
}  // namespace frugal
