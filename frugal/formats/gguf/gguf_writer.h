// Writes GGUF v3: all metadata and tensor headers first, then the tensors' bytes in the order they were declared.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/formats/ggml/blocks.h"

namespace frugal {

class GgufWriter {
 public:
  static constexpr std::uint64_t kAlignment = 32;

  void set_u32(std::string_view key, std::uint32_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_text(std::string_view key, std::string_view value);
  void set_texts(std::string_view key, const std::vector<std::string>& values);
  void set_i32s(std::string_view key, const std::vector<std::int32_t>& values);
  // shape: fastest dimension first.
  void declare(std::string_view name, const std::vector<std::int64_t>& shape, const BlockType& type);

  void write_header(AtomicFile& file);
  // The next declared tensor's bytes, in any number of parts; pads after the last one.
  void write_data(AtomicFile& file, const void* bytes, std::uint64_t size);

 private:
  void key(std::string_view name, std::uint32_t type);
  template <class T>
  static void put(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void put_text(std::string& to, std::string_view value) {
    put(to, static_cast<std::uint64_t>(value.size()));
    to.append(value);
  }
  std::string metadata_, headers_;
  std::uint64_t keys_ = 0, offset_ = 0;
  std::vector<std::uint64_t> sizes_;
  std::size_t current_ = 0;
  std::uint64_t written_ = 0;  // of the current tensor
};

}  // namespace frugal
