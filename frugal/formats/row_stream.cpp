#include "frugal/formats/row_stream.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <span>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/ggml/blocks.h"

namespace frugal {
namespace {

std::uint16_t to_bf16_bits(float value) {  // nearest even; NaN stays NaN
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The largest magnitude a type holds, and the least that would be rounded to infinity.
struct Range {
  std::string_view type;
  double largest, overflows_from;
};
constexpr Range kRanges[] = {
    {"F32", FLT_MAX, HUGE_VAL},
    {"F16", 65504, 65520},
    {"BF16", 0x1.fep127, 0x1.ffp127},
    {"Q8_0", 65504.0 * 127, 65520.0 * 127},  // the block's scale is max|x| / 127 in F16
};

void require_in_range(std::span<const float> values, const std::string& tensor, const Range& range) {
  for (const float value : values) {
    const double size = std::fabs(double{value});
    if (size < range.overflows_from && std::isfinite(value)) continue;
    const std::string holds = tensor + " holds " +
                              (std::isnan(value)   ? "NaN"
                               : std::isinf(value) ? "infinity"
                                                   : Json(double{value}).dump());
    if (!std::isfinite(value))
      throw Error(Exit::input, holds + ", expected finite weights",
                  "check how the model was made: it may be damaged, or its tuning diverged");
    throw Error(Exit::input,
                holds + ", but " + std::string(range.type) + " holds at most " + Json(range.largest).dump(),
                range.type == "BF16" ? "use --dtype f32" : "use --dtype bf16, which has the range of f32");
  }
}

}  // namespace

void stream_rows(const TensorSpec& spec, std::size_t index, const RowReader& rows, std::string_view type,
                 const std::function<void(const void*, std::size_t)>& sink) {
  const BlockType& to = *find_block_type(type);
  const Range& range =
      *std::find_if(std::begin(kRanges), std::end(kRanges), [&](const Range& r) { return r.type == to.name; });
  const std::int64_t step = std::max<std::int64_t>(1, (std::int64_t{1} << 18) / spec.cols);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::int64_t begin = 0; begin < spec.rows; begin += step) {
    const std::int64_t end = std::min(spec.rows, begin + step);
    const auto n = static_cast<std::size_t>((end - begin) * spec.cols);
    values.resize(n);
    rows(index, begin, end, values.data());
    require_in_range(values, spec.name, range);
    bytes.resize(n / static_cast<std::size_t>(to.elements) * static_cast<std::size_t>(to.bytes));
    if (to.name == "F32") {
      sink(values.data(), n * 4);
      continue;
    }
    if (to.name == "Q8_0") {
      quantize_q8_0(values.data(), static_cast<std::int64_t>(n) / 32, bytes.data());
    } else {
      auto* half = reinterpret_cast<std::uint16_t*>(bytes.data());
      for (std::size_t i = 0; i < n; ++i)
        half[i] = to.name == "F16" ? float_to_half(values[i]) : to_bf16_bits(values[i]);
    }
    sink(bytes.data(), bytes.size());
  }
}

}  // namespace frugal
