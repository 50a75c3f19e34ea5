// An adapter's tensors as the bytes of a file.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "frugal/formats/ggml/blocks.h"

namespace frugal {

const BlockType& adapter_dtype(const std::string& dtype);  // "f32", "f16" or "bf16"; Error(Exit::usage)
void write_values(const std::vector<float>& values, const BlockType& type,
                  const std::function<void(const void* bytes, std::size_t size)>& sink);

}  // namespace frugal
