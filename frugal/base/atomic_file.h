// A file that appears under its final name only when it is whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace frugal {

// Writes to `path` + ".tmp-<pid>"; commit() flushes to disk and renames; without commit() the temporary file is
// removed. Every function throws Error(Exit::input) naming the path and the system's reason (a full disk, no
// permission).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* bytes, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  std::uint64_t size() const { return size_; }  // bytes written so far
  void commit();

 private:
  void flush();
  [[noreturn]] void fail(const char* doing);
  std::filesystem::path path_, temporary_;
  std::uint64_t size_ = 0;
  int file_ = -1;
  std::size_t buffered_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
};

void write_file(const std::filesystem::path& path, std::string_view text);  // AtomicFile in one call
std::string read_file(const std::filesystem::path& path);                   // Error(Exit::input) when it cannot

}  // namespace frugal
