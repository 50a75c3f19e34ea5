// Turns rows made on demand into the bytes of a file, a megabyte or so at a time.
#pragma once
#include <functional>
#include <string_view>

#include "frugal/formats/model_source.h"

namespace frugal {

// type: "F32", "F16", "BF16" (nearest even) or "Q8_0" (cols a multiple of 32). Error(Exit::input), with tensor, value
// and limit: a value that is not finite, or that the type would round to infinity.
void stream_rows(const TensorSpec& spec, std::size_t index, const RowReader& rows, std::string_view type,
                 const std::function<void(const void* bytes, std::size_t size)>& sink);

}  // namespace frugal
