// GGUF files, versions 2 and 3, little-endian (ggml's docs/gguf.md): typed metadata, then tensors in one aligned data
// section.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/json.h"
#include "frugal/formats/ggml/blocks.h"

namespace frugal {

struct GgufTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // as in the file: fastest dimension first
  const BlockType* type = nullptr;
  std::span<const std::byte> data;
};

struct GgufFile {
  static constexpr std::uint64_t kLongList = 16384;  // values
  struct List {
    std::uint32_t type;
    std::uint64_t count;
    std::span<const std::byte> values;
  };
  std::map<std::string, Json> metadata;  // arrays of anything but arrays are JSON arrays
  std::map<std::string, List> lists;     // longer ones, a vocabulary's: checked, and left in the parsed bytes
  std::vector<GgufTensor> tensors;       // data points into the parsed bytes

  // The list at `key`, short or long; empty when it is not there or of another kind.
  std::vector<std::string> texts(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;

  const GgufTensor* find(const std::string& name) const;
};

// name: for messages. Error(Exit::input), with what and where: not GGUF, another version or byte order, truncated, a
// count or size beyond the file, text that is not UTF-8, a type this version does not know (named), offsets outside the
// file, unaligned or overlapping, names that are empty, repeated, too long or hold path parts or control characters.
GgufFile parse_gguf(std::span<const std::byte> bytes, const std::string& name);

}  // namespace frugal
