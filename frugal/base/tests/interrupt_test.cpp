#include "frugal/base/interrupt.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "frugal/base/error.h"

namespace frugal {
namespace {

TEST(Interrupt, OnceIsAFlag) {
  std::signal(SIGINT, SIG_DFL);  // a shell may have it ignored
  reset_interrupt();
  EXPECT_NO_THROW(throw_if_interrupted());
  std::raise(SIGINT);
  EXPECT_TRUE(is_interrupted());
  try {
    throw_if_interrupted();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::interrupted);
  }
  reset_interrupt();
  EXPECT_FALSE(is_interrupted());
}

TEST(Interrupt, AnotherSignalAtTheSameTimeIsTheSameRequest) {
  reset_interrupt();
  std::raise(SIGINT);
  std::raise(SIGINT);
  std::raise(SIGTERM);
  EXPECT_TRUE(is_interrupted());
  reset_interrupt();
}

// A terminal that closes asks to end; under nohup it does not.
TEST(Interrupt, AHangUpIsARequestUnlessItIsIgnored) {
  reset_interrupt();
  std::raise(SIGHUP);
  EXPECT_TRUE(is_interrupted());
  std::signal(SIGHUP, SIG_IGN);
  reset_interrupt();
  std::raise(SIGHUP);
  EXPECT_FALSE(is_interrupted());
  std::signal(SIGHUP, SIG_DFL);
}

TEST(InterruptDeathTest, ALaterOneEndsTheProcess) {
  const auto twice = [](int second) {
    reset_interrupt();
    std::raise(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(510));
    std::raise(second);
  };
  EXPECT_EXIT(twice(SIGINT), ::testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(twice(SIGTERM), ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace frugal
