#include "frugal/base/interrupt.h"

#include <csignal>

#include "frugal/base/error.h"

namespace frugal {
namespace {
volatile std::sig_atomic_t requested = 0;
}

// SA_RESETHAND puts the default action back on the first signal, so the second one ends the process.
void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { requested = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool is_interrupted() { return requested != 0; }

void throw_if_interrupted() {
  if (is_interrupted()) throw Error(Exit::interrupted, "interrupted", "start again when you like");
}

void reset_interrupt() {
  requested = 0;
  catch_interrupts();
}

}  // namespace frugal
