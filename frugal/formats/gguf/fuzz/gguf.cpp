// Any bytes as a GGUF file: refused with an Error, or metadata that prints and tensors that dequantise.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/formats/gguf/gguf_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace frugal;
  GgufFile file;
  try {
    file = parse_gguf(std::as_bytes(std::span(data, size)), "input");
  } catch (const Error&) {
    return 0;
  }
  for (const auto& [key, value] : file.metadata) value.dump();
  for (const auto& [key, list] : file.lists) file.texts(key), file.integers(key);
  for (const GgufTensor& tensor : file.tensors) {
    if (tensor.data.size() > 1 << 16) continue;
    const std::int64_t blocks = static_cast<std::int64_t>(tensor.data.size()) / tensor.type->bytes;
    std::vector<float> values(static_cast<std::size_t>(blocks * tensor.type->elements));
    tensor.type->dequantize(tensor.data.data(), blocks, values.data());
  }
  try {
    const ModelShape shape = shape_from_gguf(file, "input");
    tensor_specs(shape);
  } catch (const Error&) {
  }
  try {
    tokenizer_from_gguf(file, "input");
  } catch (const Error&) {
  }
  return 0;
}
