// Plain memory, aligned to 64 bytes, taken from the system by pages and given back when dropped.
#pragma once
#include <cstddef>
#include <utility>

namespace frugal {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);  // zero-filled on first touch; throws std::bad_alloc
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer();

  std::size_t size() const { return size_; }
  std::byte* data() const { return data_; }
  template <class T>
  T* as(std::size_t element = 0) const {
    return reinterpret_cast<T*>(data_) + element;
  }
  void grow(std::size_t bytes) {  // keeps nothing; never shrinks
    if (bytes <= size_) return;
    *this = Buffer();  // the old memory is gone before the new is there
    *this = Buffer(bytes);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace frugal
