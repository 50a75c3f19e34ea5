// A file that only grows by whole pieces: what kill -9 leaves is what was appended, and at most one torn piece at the
// end.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace frugal {

class AppendFile {
 public:
  // Opens or creates `path` and cuts it to its first `keep` bytes.
  AppendFile(std::filesystem::path path, std::uint64_t keep);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;

  // Handed to the kernel at once, so it outlives the process; flushed to disk at most once a second, so that a power
  // cut costs that second. Error(Exit::input) when the disk is full; the file then ends with the piece before.
  void append(std::string_view piece);
  void sync();  // to disk now
  std::uint64_t size() const { return size_; }

 private:
  [[noreturn]] void fail(const char* doing) const;
  std::filesystem::path path_;
  std::uint64_t size_;
  int file_ = -1;
  std::chrono::steady_clock::time_point synced_;
};

}  // namespace frugal
