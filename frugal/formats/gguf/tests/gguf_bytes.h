// Builds GGUF files byte by byte, well-formed or not.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace frugal::gguf_tests {

class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& text(std::string_view value) {
    put<std::uint64_t>(value.size());
    bytes_.append(value);
    return *this;
  }
  Bytes& header(std::uint32_t version, std::uint64_t tensors, std::uint64_t keys) {
    bytes_ += "GGUF";
    return put(version).put(tensors).put(keys);
  }
  Bytes& tensor(std::string_view name, std::initializer_list<std::uint64_t> shape, std::uint32_t type,
                std::uint64_t offset) {
    text(name).put(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) put(size);
    return put(type).put(offset);
  }
  // The data section: zero bytes from the next multiple of 32.
  Bytes& data(std::size_t size) {
    bytes_.append((32 - bytes_.size() % 32) % 32 + size, '\0');
    return *this;
  }
  std::span<const std::byte> span() const { return std::as_bytes(std::span(bytes_)); }
  const std::string& string() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace frugal::gguf_tests
