#include "frugal/train/objective/metrics.h"

#include <gtest/gtest.h>

namespace frugal {
namespace {

// By hand: class 0 has recall 3/4, class 1 1/2, class 2 does not occur but is predicted once.
TEST(Metrics, AgreeWithAHandCount) {
  const std::vector<std::int64_t> labels = {0, 0, 0, 0, 1, 1}, predicted = {0, 0, 0, 1, 1, 2};
  const auto m = classification_metrics(labels, predicted, 3);
  EXPECT_DOUBLE_EQ(m.accuracy, 4.0 / 6);
  EXPECT_DOUBLE_EQ(m.balanced_accuracy, (0.75 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(m.f1, (6.0 / 7 + 2.0 / 4 + 0) / 3);
  EXPECT_EQ(m.confusion[0][1], 1);
  EXPECT_EQ(m.confusion[1][2], 1);
}

TEST(Metrics, AMajorityGuessIsHalfOfTwoClasses) {
  const auto m =
      classification_metrics(std::vector<std::int64_t>{0, 0, 0, 1}, std::vector<std::int64_t>{0, 0, 0, 0}, 2);
  EXPECT_DOUBLE_EQ(m.accuracy, 0.75);
  EXPECT_DOUBLE_EQ(m.balanced_accuracy, 0.5);
}

}  // namespace
}  // namespace frugal
