// An adapter's tensors as the bytes of a file, and back.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/safetensors/safetensors_file.h"

namespace frugal {

// The values of a tensor in F32, F16 or BF16. Error(Exit::input) names `key` with another dtype, or with a value that
// is not finite.
std::vector<float> adapter_values(const std::string& key, const SafeTensor& tensor);
const BlockType& adapter_dtype(const std::string& dtype);  // floats; Error(Exit::usage)
void write_values(const std::vector<float>& values, const BlockType& type,
                  const std::function<void(const void* bytes, std::size_t size)>& sink);

}  // namespace frugal
