// Figures of a classifier from its predictions.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

struct ClassificationMetrics {
  double accuracy = 0;
  double balanced_accuracy = 0;                      // mean recall over the classes that occur
  double f1 = 0;                                     // macro: mean over the classes that occur or are predicted
  std::vector<std::vector<std::int64_t>> confusion;  // [label][predicted]
};

ClassificationMetrics classification_metrics(std::span<const std::int64_t> labels,
                                             std::span<const std::int64_t> predicted, std::int64_t classes);

}  // namespace frugal
