// A file that appears under its final name only when it is whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace frugal {

// Writes to `path` + ".tmp-<pid>"; commit() flushes to disk and renames; without commit() the temporary file is
// removed, and where the process was killed before, by the next who writes to `path`. A symbolic link stays: the file
// it leads to is what is replaced, and a file that is replaced keeps its mode. Pipes, terminals and what else is no
// file with a name (/dev/null, the process's own stdout) are written as they come. Every function throws
// Error(Exit::input) naming the path and the system's reason (a full disk, no permission), or a folder or block device
// that is there.
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
  void open_stream(unsigned mode);
  void flush();
  [[noreturn]] void fail(const char* doing);
  std::filesystem::path path_, target_, temporary_;  // temporary_: empty for what is written as it comes
  std::uint64_t size_ = 0;
  int file_ = -1;
  std::size_t buffered_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
};

void write_file(const std::filesystem::path& path, std::string_view text);  // AtomicFile in one call

// Error(Exit::input): `path` is there and is no regular file. A reader of a pipe would wait for ever, and one of
// /dev/zero never end.
void require_regular(const std::filesystem::path& path);
// What every reader begins with: a stream that is not good when the file cannot be opened. Error: as require_regular.
std::ifstream open_file(const std::filesystem::path& path);
// Bytes of a text that is read whole; of settings, records and what else others wrote as JSON.
inline constexpr std::uint64_t kMostText = std::uint64_t{4} << 30, kMostSettings = 64 << 20;
// Error(Exit::input): it cannot be read, is no regular file, or has more than `most` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t most = kMostText);
// Where a symbolic link leads, over all that follow, whether or not a file is there; any other path as it is.
std::filesystem::path follow_links(std::filesystem::path path);

}  // namespace frugal
