// From scores to rows. No LibTorch.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frugal/tune/spruft/config.h"

namespace frugal {

// Rows a linear of `rows` output rows gets. Error(Exit::usage) with both when --rows is more than it has.
std::int64_t row_budget(const SpruftConfig& config, const std::string& name, std::int64_t rows);

// Rows chosen in each linear, rising: the highest scores, ties to the lower row. scores: by linear, [rows].
std::vector<std::vector<std::int32_t>> select_rows(const SpruftConfig& config, const std::vector<std::string>& names,
                                                   const std::vector<std::vector<double>>& scores);

// Mean of the quantiles 0, 0.1, ..., 1 with linear interpolation: what "QM" aggregates a row's scores of the labels
// with.
double quantile_mean(std::vector<double> values);

bool is_target(const std::string& name,
               const std::vector<std::string>& targets);  // a layer's linear that the list names

}  // namespace frugal
