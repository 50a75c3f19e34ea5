#include "frugal/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "frugal/base/error.h"

namespace frugal {
namespace {
constexpr std::size_t kBuffer = 1 << 20;
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp-" + std::to_string(::getpid())),
      buffer_(std::make_unique<std::byte[]>(kBuffer)) {
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) fail("create");
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* doing) {
  const int reason = errno;
  const char* fix = reason == ENOSPC ? "free some space, or choose another disk with --out"
                                     : "check that the folder exists and that you may write to it";
  throw Error(Exit::input, std::string("cannot ") + doing + " " + path_.string() + ": " + std::strerror(reason), fix);
}

void AtomicFile::flush() {
  const std::byte* at = buffer_.get();
  while (buffered_ > 0) {
    const ssize_t wrote = ::write(file_, at, buffered_);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write");
    at += wrote;
    buffered_ -= static_cast<std::size_t>(wrote);
  }
}

void AtomicFile::write(const void* bytes, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  size_ += size;
  while (size > 0) {
    const std::size_t n = std::min(size, kBuffer - buffered_);
    std::memcpy(buffer_.get() + buffered_, from, n);
    buffered_ += n;
    from += n;
    size -= n;
    if (buffered_ == kBuffer) flush();
  }
}

void AtomicFile::commit() {
  flush();
  if (::fsync(file_) != 0) fail("flush");
  if (::close(std::exchange(file_, -1)) != 0) fail("close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    fail("rename to");
  }
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw Error(Exit::input, "cannot read " + path.string() + ": it is a folder", "give a file");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) throw Error(Exit::input, "cannot read " + path.string() + ": " + std::strerror(errno), "check the path");
  return std::move(text).str();
}

}  // namespace frugal
