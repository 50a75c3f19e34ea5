#include "frugal/base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace frugal {
namespace {

// stderr is a pipe whose reader has gone, or nothing at all.
void talk_to_nobody(bool is_closed) {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(2);
  ::close(ends[0]);
  ::dup2(ends[1], STDERR_FILENO);
  if (is_closed) ::close(STDERR_FILENO);
  for (int i = 0; i < 3; ++i) warn("nobody hears this");
  ::_exit(0);
}

TEST(LogDeathTest, AClosedStderrEndsNothing) {
  EXPECT_EXIT(talk_to_nobody(false), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(talk_to_nobody(true), testing::ExitedWithCode(0), "");
}

// Only its own writes: a pipe that results go to still ends the program.
TEST(LogDeathTest, OtherPipesEndTheProcessAsEver) {
  const auto write_on = [] {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(2);
    ::close(ends[0]);
    warn("heard");
    ::_exit(::write(ends[1], "x", 1) < 0 ? 1 : 0);
  };
  EXPECT_EXIT(write_on(), testing::KilledBySignal(SIGPIPE), "heard");
}

}  // namespace
}  // namespace frugal
