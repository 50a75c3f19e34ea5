// Rotary positions (RoFormer, arXiv:2104.09864).
#pragma once
#include <vector>

#include "frugal/formats/model_shape.h"

namespace frugal {

// Radians a position of each pair of a head's numbers, [D / 2].
std::vector<float> make_inverse_frequencies(const ModelShape& shape);

}  // namespace frugal
