#include "frugal/data/description.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

TEST(Description, LengthsComeWithTheShareThatWasLeftOut) {
  const std::vector<std::size_t> lengths = {3, 3, 4};
  const std::string rows = "\npair length in tokens:\n" + LengthHistogram(lengths).to_text();
  EXPECT_EQ(lengths_text("pair", lengths, 0, 9), rows);
  EXPECT_EQ(lengths_text("pair", lengths, 1, 9), "\nleft out, over 9 tokens: 1 of 4 (25.0 %)" + rows);
}

}  // namespace
}  // namespace frugal
