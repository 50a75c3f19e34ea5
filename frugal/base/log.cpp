#include "frugal/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>

namespace frugal {
namespace {

std::atomic<bool> quiet{false};

// One write a line, so that lines of several threads do not mix.
void print(const char* prefix, const char* color, std::string_view line) {
  std::string text;
  if (*prefix && use_color()) {
    text = std::string(color) + prefix + "\033[0m";
  } else {
    text = prefix;
  }
  text.append(line).append("\n");
  write_stderr(text);
}

}  // namespace

void write_stderr(std::string_view text) {
  sigset_t pipe, before, waiting;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::sigpending(&waiting);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  while (!text.empty()) {
    const ssize_t wrote = ::write(STDERR_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) break;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  constexpr timespec kNow{};  // the signal of this write, not one that waited before
  if (!text.empty() && ::sigismember(&waiting, SIGPIPE) == 0) ::sigtimedwait(&pipe, nullptr, &kNow);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void set_quiet(bool on) { quiet = on; }
bool is_quiet() { return quiet; }
bool is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool use_color() {
  const char* off = std::getenv("NO_COLOR");
  return (off == nullptr || *off == '\0') && is_terminal();
}

void say(std::string_view line) {
  if (!quiet) print("", "", line);
}

void note(std::string_view line) {
  if (!quiet) print("note: ", "\033[36m", line);
}

void warn(std::string_view line) { print("warning: ", "\033[33m", line); }

}  // namespace frugal
