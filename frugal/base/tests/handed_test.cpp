#include "frugal/base/handed.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace frugal {
namespace {

TEST(Handed, GivesAValueOnceAndOnlyAsWhatItIs) {
  Handed handed;
  EXPECT_FALSE(handed.take<int>("a"));
  handed.keep("a", std::vector<std::string>{"x", "y"});
  EXPECT_FALSE(handed.take<int>("a")) << "another type under this name";
  EXPECT_EQ(handed.take<std::vector<std::string>>("a"), (std::vector<std::string>{"x", "y"}));
  EXPECT_FALSE(handed.take<std::vector<std::string>>("a"));
}

TEST(Handed, MovesTheValue) {
  Handed handed;
  std::vector<int> large(1000, 7);
  const int* where = large.data();
  handed.keep("large", std::move(large));
  EXPECT_EQ(handed.take<std::vector<int>>("large")->data(), where);
}

TEST(Handed, IsThatOfTheProgramOnceTakenOver) {
  Handed program;
  program.keep("a", 1);
  take_over(program);
  EXPECT_EQ(handed().take<int>("a"), 1);
}

}  // namespace
}  // namespace frugal
