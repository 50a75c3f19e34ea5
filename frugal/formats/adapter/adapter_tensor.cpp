#include "frugal/formats/adapter/adapter_tensor.h"

#include <algorithm>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/formats/export_dtype.h"
#include "frugal/formats/row_stream.h"

namespace frugal {

std::vector<float> adapter_values(const std::string& key, const SafeTensor& tensor) {
  if (tensor.dtype != "F32" && tensor.dtype != "F16" && tensor.dtype != "BF16") {
    throw Error(Exit::input, key + " has the dtype " + tensor.dtype + ", known are F32, F16 and BF16",
                "convert the adapter");
  }
  const BlockType& type = *find_block_type(tensor.dtype);
  std::vector<float> values(tensor.data.size() / static_cast<std::size_t>(type.bytes));
  type.dequantize(tensor.data.data(), static_cast<std::int64_t>(values.size()), values.data());
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end())
    throw Error(Exit::input, key + " holds " + std::to_string(*bad),
                "train the adapter again with a smaller step size");
  return values;
}

const BlockType& adapter_dtype(const std::string& dtype) { return find_export_dtype(dtype, true, "an adapter").type(); }

void write_values(const std::vector<float>& values, const BlockType& type,
                  const std::function<void(const void*, std::size_t)>& sink) {
  const TensorSpec column = {.name = "", .rows = static_cast<std::int64_t>(values.size()), .cols = 1};
  const auto rows = [&](std::size_t, std::int64_t begin, std::int64_t end, float* out) {
    std::copy(values.data() + begin, values.data() + end, out);
  };
  stream_rows(column, 0, rows, type, sink);
}

}  // namespace frugal
