#include "frugal/base/last_words.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>

#include "frugal/base/error.h"
#include "frugal/base/report_error.h"

namespace frugal {
namespace {

#define FRUGAL_LOST "a file that was being read became shorter, or its disk went away"
#define FRUGAL_LOST_FIX "put the model or data file back as it was; a run then goes on with --resume"
static_assert(static_cast<int>(Exit::input) == 3, "the text below says so");
constexpr char kText[] = "error: " FRUGAL_LOST "\nfix: " FRUGAL_LOST_FIX "\n";
constexpr char kJson[] = R"({"error":")" FRUGAL_LOST R"(","fix":")" FRUGAL_LOST_FIX R"(","exit":3})"
                         "\n";
#undef FRUGAL_LOST
#undef FRUGAL_LOST_FIX
bool as_json = false;

// Only what signal-safety(7) allows.
void lose_pages(int, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) {  // not of a map
    std::signal(SIGBUS, SIG_DFL);
    std::raise(SIGBUS);
    return;
  }
  const int to = as_json ? STDOUT_FILENO : STDERR_FILENO;
  const char* text = as_json ? kJson : kText;
  if (::write(to, text, std::strlen(text)) < 0) {
  }  // nobody is left to be told
  ::_exit(static_cast<int>(Exit::input));
}

constexpr char kShort[] =
    "error: a library did not get the memory it asked for: the address space is limited (ulimit -v)\n"
    "fix: ulimit -v unlimited; --memory limits what is used\n";

// Of a fault where memory is refused: libraries take it for granted. Only what signal-safety(7) allows.
void fault(int) {
  if (::write(STDERR_FILENO, kShort, sizeof kShort - 1) < 0) {
  }  // nobody is left to be told
  ::_exit(static_cast<int>(Exit::budget));
}

void terminate() {
  int code = static_cast<int>(Exit::internal);
  if (std::current_exception() != nullptr) {
    try {
      std::rethrow_exception(std::current_exception());
    } catch (...) {
      code = report_exception(as_json);
    }
  }
  ::_exit(code);
}

}  // namespace

void leave_last_words(bool json) {
  as_json = json;
  std::set_terminate(terminate);
  struct sigaction action {};
  action.sa_sigaction = lose_pages;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
  if (!is_address_space_limited()) return;
  std::signal(SIGSEGV, fault);
  std::signal(SIGABRT, fault);
}

}  // namespace frugal
