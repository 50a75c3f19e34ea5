// A file mapped read-only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace frugal {

class MemoryMap {
 public:
  explicit MemoryMap(const std::filesystem::path& path);  // Error(Exit::input): unreadable, a folder, empty
  MemoryMap(MemoryMap&& other) noexcept;
  MemoryMap& operator=(MemoryMap&&) = delete;
  ~MemoryMap();

  // Error(Exit::input): somebody has written to the file since; a file that took its name meanwhile is not this one.
  void require_unchanged() const;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Gives the resident pages that lie wholly or partly in the range, and those around it that came with them, back to
  // the system; the next read loads them again.
  void release(std::span<const std::byte> range) const;
  // Asks the system to load the range while others compute; nothing becomes resident by it.
  void read_ahead(std::span<const std::byte> range) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
  int file_ = -1;
  std::int64_t written_ = 0;  // when, in nanoseconds
};

}  // namespace frugal
