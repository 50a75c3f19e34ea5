#include "frugal/base/interrupt.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "frugal/base/error.h"
#include "frugal/base/log.h"

namespace frugal {
namespace {

constexpr std::int64_t kGrace = 500'000'000;  // nanoseconds
std::atomic<std::int64_t> requested_at{0};    // on the monotonic clock; 0: not
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler writes it");

// Only what signal-safety(7) allows.
void note(int signal) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t at = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  std::int64_t first = 0;
  if (requested_at.compare_exchange_strong(first, at) || at - first < kGrace) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // comes when this handler returns
}

}  // namespace

void catch_interrupts() { interrupt_waiting_reads(false); }

void interrupt_waiting_reads(bool yes) {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = yes ? 0 : SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};  // nohup and shells without job control have one ignored, which stays
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

bool is_interrupted() { return requested_at != 0; }

void throw_if_interrupted() {
  if (is_interrupted()) throw Error(Exit::interrupted, "interrupted", "start again when you like");
}

void end_with_parent() {
  const char* parent = std::getenv("FRUGAL_PARENT");
  if (parent == nullptr || *parent == '\0') return;
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  if (std::to_string(::getppid()) == parent) return;
  constexpr std::string_view kWhy = "interrupted: FRUGAL_PARENT is set, and that process did not start this one\n";
  write_stderr(kWhy);
  std::_Exit(static_cast<int>(Exit::interrupted));
}

void reset_interrupt() {
  requested_at = 0;
  catch_interrupts();
}

}  // namespace frugal
