#include "frugal/cli/cell_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "frugal/base/error.h"
#include "frugal/base/interrupt.h"

extern char** environ;

namespace frugal {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_without(const std::vector<std::string>& unset) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable(*entry), name = variable.substr(0, variable.find('='));
    if (name != "FRUGAL_PARENT" && std::find(unset.begin(), unset.end(), name) == unset.end())
      variables.push_back(variable);
  }
  variables.push_back("FRUGAL_PARENT=" + std::to_string(::getpid()));
  return variables;
}

}  // namespace

pid_t start_cell(const CellCommand& command) {
  std::vector<std::string> words = {"frugal"}, variables = environment_without(command.unset);
  words.insert(words.end(), command.words.begin(), command.words.end());
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, command.said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  std::error_code failed;
  if (std::filesystem::is_directory(command.folder, failed))
    ::posix_spawn_file_actions_addchdir_np(&files, command.folder.c_str());
  // A shell without job control has SIGINT ignored in what it starts in the background: cells are stopped by it.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t interrupts;
  ::sigemptyset(&interrupts);
  ::sigaddset(&interrupts, SIGINT);
  ::posix_spawnattr_setsigdefault(&attributes, &interrupts);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int code =
      ::posix_spawn(&pid, "/proc/self/exe", &files, &attributes, pointers(words).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (code != 0)
    throw Error(Exit::budget, "the system starts no further process", "close some programs, or take fewer --threads");
  return pid;
}

void wait_until_free(const std::filesystem::path& run) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  const int lock = ::open((run / "lock").c_str(), O_RDWR | O_CLOEXEC);
  if (lock < 0) return;
  while (::flock(lock, LOCK_EX | LOCK_NB) != 0 && !is_interrupted() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::close(lock);
}

}  // namespace frugal
