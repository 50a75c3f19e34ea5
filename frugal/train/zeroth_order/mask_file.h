// A mask of the user's own: any choice of weights, one bit each.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "frugal/formats/model_source.h"

namespace frugal {

// The file: one JSON line {"frugal_mask": 1, "tensors": [{"name": "model...weight", "elements": n}, ...]}, then for
// each tensor ceil(n / 8) bytes, bit i % 8 of byte i / 8 for element i (row-major); set bits are trained. Tensors it
// does not name are trained whole. Returns one vector of bits a tensor of the model (empty: not named).
// Error(Exit::input): not such a file, a name the model does not have, another size (both), truncated.
std::vector<std::vector<std::uint8_t>> read_mask_file(const std::filesystem::path& path, const ModelSource& model);

}  // namespace frugal
