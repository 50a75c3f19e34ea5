// safetensors (huggingface/safetensors, README "Format"): a JSON header with name, dtype, shape and offsets, then the
// bytes.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace frugal {

struct SafeTensor {
  std::string dtype;  // as in the file: "F32", "BF16", ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  // into the parsed bytes
};

// name: for messages. Error(Exit::input): truncated, a header over 100 MB or not JSON, offsets outside or overlapping,
// sizes that do not match the shape, more than 65,536 tensors, names with path parts. dtypes are not judged here.
std::map<std::string, SafeTensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& name);

// The header of a file whose tensors follow in the given order without gaps, padded with blanks to a multiple of 8.
struct SafeTensorHeader {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes;
};
std::string make_safetensors_header(const std::vector<SafeTensorHeader>& tensors);

}  // namespace frugal
