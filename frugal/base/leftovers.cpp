#include "frugal/base/leftovers.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".tmp-";

fs::path folder_of(const fs::path& target) { return target.has_parent_path() ? target.parent_path() : fs::path("."); }

}  // namespace

fs::path temporary_of(const fs::path& target) {
  fs::path temporary = target;
  temporary += kMark + std::to_string(::getpid());
  return temporary;
}

bool hold_temporary(int file) {
  while (::flock(file, LOCK_EX) != 0) {
    if (errno != EINTR) return true;
  }
  struct stat status {};
  return ::fstat(file, &status) != 0 || status.st_nlink > 0;
}

void remove_leftovers(const fs::path& target) {
  const std::string prefix = target.filename().string() + kMark;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_of(target), failed)) {
    const std::string name = entry.path().filename().string();
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!name.starts_with(prefix) || name.size() == prefix.size() ||
        !std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(), is_digit))
      continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) continue;
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), failed);
    ::close(file);
  }
}

void sync_folder(const fs::path& folder) {
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

}  // namespace frugal
