// Any bytes as a safetensors file: refused with an Error, or tensors that lie inside it with the bytes their shapes
// need.
#include <cstddef>
#include <cstdint>

#include "frugal/base/error.h"
#include "frugal/base/json.h"
#include "frugal/formats/model_shape.h"
#include "frugal/formats/safetensors/safetensors_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace frugal;
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    for (const auto& [name, tensor] : parse_safetensors(bytes, "input")) {
      const bool is_inside = tensor.data.empty() || (tensor.data.data() >= bytes.data() &&
                                                     tensor.data.data() + tensor.data.size() <= bytes.data() + size);
      std::uint64_t elements = 1;
      for (const std::int64_t n : tensor.shape) elements *= static_cast<std::uint64_t>(n);
      if (!is_inside || (elements == 0) != tensor.data.empty()) __builtin_trap();
    }
  } catch (const Error&) {
  }
  // The same bytes as config.json, for the checks of sizes.
  try {
    const Json config = Json::parse(data, data + size, nullptr, false);
    if (size < 4096 && !config.is_discarded()) shape_from_config(config);
  } catch (const Error&) {
  }
  return 0;
}
