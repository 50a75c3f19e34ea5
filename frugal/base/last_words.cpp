#include "frugal/base/last_words.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>

#include "frugal/base/error.h"
#include "frugal/base/report_error.h"

namespace frugal {
namespace {

// An error as text and as an object.
struct Words {
  const char *text, *json;
};
#define FRUGAL_WORDS(what, fix, exit) \
  { "error: " what "\nfix: " fix "\n", "{\"error\":\"" what "\",\"fix\":\"" fix "\",\"exit\":" exit "}\n" }
static_assert(static_cast<int>(Exit::input) == 3 && static_cast<int>(Exit::budget) == 4, "the texts say so");
constexpr Words kLost =
    FRUGAL_WORDS("a file that was being read became shorter, or its disk went away",
                 "put the model or data file back as it was; a run then goes on with --resume", "3");
constexpr Words kShort = FRUGAL_WORDS(
    "the program broke off where the address space is limited (ulimit -v): a library may not have got memory",
    "ulimit -v unlimited, and try again; --memory limits what is used", "4");
#undef FRUGAL_WORDS
bool as_json = false;

// Only what signal-safety(7) allows.
[[noreturn]] void say(const Words& words, Exit code) {
  const char* text = as_json ? words.json : words.text;
  if (::write(as_json ? STDOUT_FILENO : STDERR_FILENO, text, std::strlen(text)) < 0) {
  }  // nobody is left to be told
  ::_exit(static_cast<int>(code));
}
void lose_pages(int, siginfo_t* info, void*) {
  if (info->si_code == BUS_ADRERR) say(kLost, Exit::input);
  std::signal(SIGBUS, SIG_DFL);  // not of a map
  std::raise(SIGBUS);
}
void fault(int) { say(kShort, Exit::budget); }

void terminate() {
  int code = static_cast<int>(Exit::internal);
  if (std::current_exception() != nullptr) {
    try {
      std::rethrow_exception(std::current_exception());
    } catch (...) {
      code = report_exception(as_json);
    }
  } else {
    report_error(Exit::internal, "internal: terminated", "this is a bug; please report it with the command line",
                 as_json);
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
