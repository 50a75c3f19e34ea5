#include "frugal/formats/row_stream.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "frugal/base/error.h"
#include "frugal/formats/ggml/blocks.h"

namespace frugal {
namespace {

std::uint16_t to_bf16_bits(float value) {  // nearest even; NaN stays NaN
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace

void stream_rows(const TensorSpec& spec, std::size_t index, const RowReader& rows, std::string_view type,
                 const std::function<void(const void*, std::size_t)>& sink) {
  const BlockType& to = *find_block_type(type);
  const std::int64_t step = std::max<std::int64_t>(1, (std::int64_t{1} << 18) / spec.cols);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::int64_t begin = 0; begin < spec.rows; begin += step) {
    const std::int64_t end = std::min(spec.rows, begin + step);
    const auto n = static_cast<std::size_t>((end - begin) * spec.cols);
    values.resize(n);
    rows(index, begin, end, values.data());
    bytes.resize(n / static_cast<std::size_t>(to.elements) * static_cast<std::size_t>(to.bytes));
    if (to.name == "F32") {
      sink(values.data(), n * 4);
      continue;
    }
    if (to.name == "Q8_0") {
      if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        throw Error(Exit::input, spec.name + " holds values that are not finite, which Q8_0 cannot", "use --dtype bf16 or f32, or check how the model was made");
      }
      quantize_q8_0(values.data(), static_cast<std::int64_t>(n) / 32, bytes.data());
    } else {
      auto* half = reinterpret_cast<std::uint16_t*>(bytes.data());
      for (std::size_t i = 0; i < n; ++i) half[i] = to.name == "F16" ? float_to_half(values[i]) : to_bf16_bits(values[i]);
    }
    sink(bytes.data(), bytes.size());
  }
}

}  // namespace frugal
