#include "frugal/train/objective/metrics.h"

namespace frugal {

ClassificationMetrics classification_metrics(std::span<const std::int64_t> labels,
                                             std::span<const std::int64_t> predicted, std::int64_t classes) {
  ClassificationMetrics result;
  const auto n = static_cast<std::size_t>(classes);
  result.confusion.assign(n, std::vector<std::int64_t>(n, 0));
  for (std::size_t i = 0; i < labels.size(); ++i)
    ++result.confusion[static_cast<std::size_t>(labels[i])][static_cast<std::size_t>(predicted[i])];
  std::int64_t right = 0, present = 0, named = 0;
  for (std::size_t c = 0; c < n; ++c) {
    std::int64_t actual = 0, claimed = 0;
    for (std::size_t k = 0; k < n; ++k) actual += result.confusion[c][k], claimed += result.confusion[k][c];
    const std::int64_t hit = result.confusion[c][c];
    right += hit;
    if (actual > 0) result.balanced_accuracy += static_cast<double>(hit) / static_cast<double>(actual), ++present;
    if (actual + claimed > 0)
      result.f1 += 2.0 * static_cast<double>(hit) / static_cast<double>(actual + claimed), ++named;
  }
  if (!labels.empty()) result.accuracy = static_cast<double>(right) / static_cast<double>(labels.size());
  if (present > 0) result.balanced_accuracy /= static_cast<double>(present);
  if (named > 0) result.f1 /= static_cast<double>(named);
  return result;
}

}  // namespace frugal
