#include "frugal/formats/adapter/adapter_tensor.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/formats/row_stream.h"

namespace frugal {

const BlockType& adapter_dtype(const std::string& dtype) {
  constexpr std::pair<const char*, const char*> kNames[] = {{"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"}};
  for (const auto& [ours, theirs] : kNames) {
    if (dtype == ours) return *find_block_type(std::string_view(theirs));
  }
  throw Error(Exit::usage, "the type of an adapter is '" + dtype + "'", "choose f32, f16 or bf16");
}

void write_values(const std::vector<float>& values, const BlockType& type,
                  const std::function<void(const void*, std::size_t)>& sink) {
  const TensorSpec column = {"", static_cast<std::int64_t>(values.size()), 1, false};
  const auto rows = [&](std::size_t, std::int64_t begin, std::int64_t end, float* out) {
    std::copy(values.data() + begin, values.data() + end, out);
  };
  stream_rows(column, 0, rows, type.name, sink);
}

}  // namespace frugal
