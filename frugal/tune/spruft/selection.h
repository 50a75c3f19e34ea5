// From scores to rows. No LibTorch.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "frugal/formats/model_shape.h"
#include "frugal/tune/spruft/config.h"

namespace frugal {

// Rows (columns with --axis in) that a linear of `rows` of them gets. Error(Exit::usage) with both when --rows is more
// than it has.
std::int64_t row_budget(const SpruftConfig& config, const std::string& name, std::int64_t rows);

// Rows chosen in each linear, rising: the highest scores, ties to the lower row. scores: by linear, [rows].
std::vector<std::vector<std::int32_t>> select_rows(const SpruftConfig& config, const std::vector<std::string>& names,
                                                   const std::vector<std::vector<double>>& scores);

bool is_target(const TensorSpec& tensor,
               const std::vector<std::string>& targets);  // a layer's linear that the list names

}  // namespace frugal
