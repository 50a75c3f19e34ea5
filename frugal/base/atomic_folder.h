// A folder that appears under its final name only when it is whole.
#pragma once
#include <filesystem>
#include <vector>

namespace frugal {

// Its files are written below `path` + ".tmp-<pid>"; commit() renames that; without commit() it is removed with all in
// it, and with the folders above it that were not there before. What a killed process left the next one removes.
// Error(Exit::input): `path` exists and is not an empty folder, or the system refuses (with its reason).
class AtomicFolder {
 public:
  explicit AtomicFolder(const std::filesystem::path& path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  std::filesystem::path operator/(const char* name) const { return temporary_ / name; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  std::vector<std::filesystem::path> made_;  // folders above that were not there, innermost first
  int lock_ = -1;
  bool committed_ = false;
};

}  // namespace frugal
