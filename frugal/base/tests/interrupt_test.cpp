#include "frugal/base/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

#include "frugal/base/error.h"

namespace frugal {
namespace {

TEST(Interrupt, OnceIsAFlag) {
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

TEST(InterruptDeathTest, TwiceEndsTheProcess) {
  const auto twice = [] {
    reset_interrupt();
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(twice(), ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace frugal
