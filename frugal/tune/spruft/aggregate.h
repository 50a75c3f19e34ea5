// One score of a row from its scores for each label. No LibTorch.
#pragma once
#include <string>
#include <vector>

namespace frugal {

// max; mean; quantile-mean: the mean of the quantiles 0, 0.1, ..., 1 (SPruFT's "QM"); upper-quantile-mean: of 0.5 to 1
// alone; top5: the mean of the 5 largest, of all where there are fewer; top5-and-mean: half of that and half of the
// mean. Quantiles are linear between neighbours. values: one a label, not empty.
double aggregate(const std::string& method, std::vector<double> values);

}  // namespace frugal
