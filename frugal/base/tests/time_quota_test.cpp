#include "frugal/base/time_quota.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace frugal {
namespace {

using Files = std::vector<std::string>;

TEST(TimeQuota, ItsOwnGroupAndThoseAboveMayLimitIt) {
  EXPECT_EQ(
      quota_files("0::/user.slice/job\n"),
      (Files{"/sys/fs/cgroup/user.slice/job/cpu.max", "/sys/fs/cgroup/user.slice/cpu.max", "/sys/fs/cgroup/cpu.max"}));
  EXPECT_EQ(quota_files("0::/\n"), Files{"/sys/fs/cgroup/cpu.max"});
  EXPECT_EQ(quota_files("0::/../other\n"), Files{"/sys/fs/cgroup/cpu.max"}) << "outside of the namespace";
  EXPECT_EQ(quota_files("5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n"),
            (Files{"/sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us",
                   "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"}));
}

TEST(TimeQuota, LinesThatAreNoneNameNoFile) {
  for (const char* text : {"", "\n", "0", "0:", "nothing\n", "3:cpuset:/a\n", "1:name=systemd:/a\n"})
    EXPECT_EQ(quota_files(text), Files()) << text;
  for (const char* text : {"0::relative", "0::", "0:://"})
    EXPECT_EQ(quota_files(text), Files{"/sys/fs/cgroup/cpu.max"}) << text;
}

TEST(TimeQuota, AValueAboveNothingIsOne) {
  EXPECT_TRUE(is_quota("50000 100000\n"));
  EXPECT_TRUE(is_quota("50000\n"));
  for (const char* text : {"max 100000\n", "-1\n", "0\n", "", "x"}) EXPECT_FALSE(is_quota(text)) << text;
}

// In a real group of version 2 or 1, where this process may make one.
TEST(TimeQuota, AGroupWithALimitIsSeen) {
  namespace fs = std::filesystem;
  const bool is_v2 = fs::exists("/sys/fs/cgroup/cgroup.controllers");
  const fs::path root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu",
                 group = root / ("frugal_time_quota_test_" + std::to_string(::getpid()));
  std::error_code error;
  if (has_time_quota() || !fs::exists(root / "cgroup.procs") || !fs::create_directory(group, error))
    GTEST_SKIP() << "no group of our own";
  const auto write = [&](const char* file, const std::string& text) {
    return static_cast<bool>(std::ofstream(group / file) << text << std::flush);
  };
  const bool is_set = is_v2 ? write("cpu.max", "50000 100000") : write("cpu.cfs_quota_us", "50000");
  int status = -1;
  if (is_set) {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool is_in = write("cgroup.procs", std::to_string(::getpid()));
      std::ifstream in("/proc/self/cgroup");
      const Files files = quota_files({std::istreambuf_iterator<char>(in), {}});
      const std::string own = (group / (is_v2 ? "cpu.max" : "cpu.cfs_quota_us")).string();
      const bool is_named = std::find(files.begin(), files.end(), own) != files.end();  // else the names are the host's
      ::_exit(!is_in || !is_named ? 2 : has_time_quota() ? 0 : 1);
    }
    if (child > 0) ::waitpid(child, &status, 0);
  }
  EXPECT_TRUE(fs::remove(group, error)) << error.message();
  if (!is_set || WEXITSTATUS(status) == 2) GTEST_SKIP() << "the group takes no limit or no process";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace frugal
