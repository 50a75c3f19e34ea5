#include "frugal/base/validate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "frugal/base/atomic_file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

std::string refused(const fs::path& path) {
  try {
    require_new_folder(path.string());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::input);
    return std::string(error.what()) + "; " + error.fix();
  }
  return "";
}

// What a process leaves that was killed before its record was there is no run; the fix names the verb of a run.
TEST(Validate, AFolderIsNewUntilItHoldsARun) {
  const fs::path folder = fs::temp_directory_path() / ("validate_" + std::to_string(::getpid()));
  EXPECT_EQ(refused(folder), "");
  fs::create_directories(folder);
  EXPECT_EQ(refused(folder), "");
  write_file(folder / "lock", "123");
  write_file(folder / "run.json.tmp-1", "{");
  EXPECT_EQ(refused(folder), "");
  write_file(folder / "notes", "");
  EXPECT_NE(refused(folder).find("is not empty"), std::string::npos);
  write_file(folder / "run.json", R"({"action": "swarm train"})");
  EXPECT_NE(refused(folder).find("frugal swarm train --resume " + folder.string()), std::string::npos);
  for (const char* other : {"{}", "[", R"({"action": 3})"}) {
    write_file(folder / "run.json", other);
    EXPECT_NE(refused(folder).find("frugal tune --resume"), std::string::npos) << other;
  }
  EXPECT_NE(refused(folder / "notes").find("is a file"), std::string::npos);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace frugal
