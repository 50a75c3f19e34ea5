#include "frugal/base/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "frugal/base/error.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".tmp-";
constexpr int kPatience = 100;  // looks at a lock that another holds

fs::path folder_of(const fs::path& target) { return target.has_parent_path() ? target.parent_path() : fs::path("."); }

// Killed, and not waited for yet: it holds no lock any more.
bool has_ended(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");  // 12 (name) Z ...
  std::string line;
  if (!std::getline(file, line)) return false;
  const std::size_t state = line.rfind(')') + 2;
  return state < line.size() && (line[state] == 'Z' || line[state] == 'X');
}

// Of what stands for a process: one there is, or no number of one.
bool is_alive(const std::string& id) {
  constexpr long kMostProcesses = 1 << 22;  // of Linux
  long number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size() || number <= 0 || number > kMostProcesses) return true;
  const auto process = static_cast<pid_t>(number);
  return (::kill(process, 0) == 0 || errno != ESRCH) && !has_ended(process);
}

}  // namespace

fs::path temporary_of(const fs::path& target) {
  fs::path temporary = target;
  temporary += kMark + std::to_string(::getpid());
  return temporary;
}

bool hold_temporary(int file, const fs::path& temporary) {
  for (int i = 0; ::flock(file, LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK && errno != EINTR) return true;  // no locks here
    if (i == kPatience)
      throw Error(Exit::input, "another process is writing " + temporary.string(), "wait until it ends, or stop it");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // it may be looked at as a leftover
  }
  struct stat held {
  }, there{};
  return ::fstat(file, &held) == 0 && ::lstat(temporary.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

void remove_leftovers(const fs::path& target, Leftover kind) {
  const std::string prefix = target.filename().string() + kMark;
  std::error_code failed;
  fs::directory_iterator entry(folder_of(target), failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || is_alive(name.substr(prefix.size()))) continue;
    const int file = ::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) continue;
    struct stat status {};
    const bool is_ours = ::fstat(file, &status) == 0 && status.st_uid == ::geteuid() &&
                         (kind == Leftover::folder ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode));
    std::error_code ignored;
    if (is_ours && ::flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry->path(), ignored);
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
