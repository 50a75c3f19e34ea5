#include "frugal/formats/row_stream.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/base/parallel.h"

namespace frugal {
namespace {

void require_in_range(std::span<const float> values, const std::string& tensor, const BlockType& type) {
  for (const float value : values) {
    const double size = std::fabs(double{value});
    if (size < type.overflows_from && std::isfinite(value)) continue;
    const std::string holds = tensor + " holds " +
                              (std::isnan(value)   ? "NaN"
                               : std::isinf(value) ? "infinity"
                                                   : Json(double{value}).dump());
    if (!std::isfinite(value))
      throw Error(Exit::input, holds + ", expected finite weights",
                  "check how the model was made: it may be damaged, or its tuning diverged");
    throw Error(Exit::input, holds + ", but " + std::string(type.name) + " holds at most " + Json(type.largest).dump(),
                type.name == "BF16" ? "use --dtype f32" : "use --dtype bf16, which has the range of f32");
  }
}

}  // namespace

void stream_rows(const TensorSpec& spec, std::size_t index, const RowReader& rows, const BlockType& type,
                 const std::function<void(const void*, std::size_t)>& sink) {
  const std::int64_t step = std::max<std::int64_t>(1, (std::int64_t{1} << 18) / spec.cols);
  const int threads = type.elements == 1 ? 1 : threads_or_cores(0);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::int64_t begin = 0; begin < spec.rows; begin += step) {
    const std::int64_t end = std::min(spec.rows, begin + step), n = (end - begin) * spec.cols;
    values.resize(static_cast<std::size_t>(n));
    rows(index, begin, end, values.data());
    require_in_range(values, spec.name, type);
    const std::int64_t blocks = n / type.elements, part = (blocks + threads - 1) / threads;
    bytes.resize(static_cast<std::size_t>(blocks * type.bytes));
    in_parallel(threads, threads, [&](std::int64_t i) {
      const std::int64_t first = std::min(blocks, i * part), last = std::min(blocks, first + part);
      type.quantize(values.data() + first * type.elements, last - first, bytes.data() + first * type.bytes);
    });
    sink(bytes.data(), bytes.size());
  }
}

}  // namespace frugal
