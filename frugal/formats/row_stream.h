// Turns rows made on demand into the bytes of a file, a megabyte or so at a time.
#pragma once
#include <functional>

#include "frugal/formats/ggml/blocks.h"
#include "frugal/formats/model_source.h"

namespace frugal {

// cols is a multiple of type.elements. Quantised blocks are made by all cores; the bytes do not depend on how many.
// Error(Exit::input), with tensor, value and limit: a value that is not finite, or that the type would round to
// infinity.
void stream_rows(const TensorSpec& spec, std::size_t index, const RowReader& rows, const BlockType& type,
                 const std::function<void(const void* bytes, std::size_t size)>& sink);

}  // namespace frugal
